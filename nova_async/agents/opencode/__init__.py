"""opencode: how it is called, stopped and read.

From the recorded calls and the options of version 1.18.33 (docs/agents.md).
"""

import re
from types import MappingProxyType

from nova_async.agents.agent import JSON_MODES, Agent, Call, LoginSigns, ModeOption, SessionFiles, option, text_or
from nova_async.agents.opencode.reader import OpencodeReader
from nova_async.agents.opencode.session import ROWS
from nova_async.agents.rendering import PlainRenderer, Renderer
from nova_async.words import Permissions

__all__ = ["OPENCODE"]

NUMBER = re.compile(r"(?:0x[0-9a-f]+|(?:\d+(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?)\s*", re.IGNORECASE)
# It has no sandbox: by its own rules it runs any command, and asks before it writes outside its folder.
PERMISSIONS = {
    Permissions.READ: MappingProxyType({"OPENCODE_PERMISSION": '{"edit":"deny","bash":"deny"}'}),
    Permissions.EDIT: MappingProxyType({"OPENCODE_PERMISSION": '{"edit":"allow"}'}),
}


def command(call: Call) -> list[str]:
    """Stream events; its models are named ``provider/model``."""
    return [
        # Errors of its log go to standard error: without them nothing tells that it waits to try again, which it does
        # for as long as its provider asks it to.
        *("opencode", "run", "--format", "json", "--print-logs", "--log-level", "ERROR"),
        *(["--auto"] if call.permissions is Permissions.FULL else []),
        *option("-m", call.model),
        *option("--session", call.resume),
        *call.extra,
        "--",  # a prompt of the one word "help" would get its help, with exit code 0
        # It crashes over a word that is a number; whatever has a blank it puts in quotes, and takes for text.
        f" {call.prompt}" if NUMBER.fullmatch(call.prompt) else call.prompt,
    ]


def renderer(mode: str | None) -> Renderer:
    """Show events; in text mode each line as it is."""
    from nova_async.agents.opencode.renderer import OpencodeRenderer  # only people need it

    return PlainRenderer() if mode == "text" else OpencodeRenderer(OPENCODE.reader(mode))


OPENCODE = Agent(
    name="opencode",
    counts_live=True,
    costs_live=True,
    program="opencode",
    packages=("opencode-ai",),
    install="npm install -g opencode-ai",
    login="run `opencode auth login`, or set the provider's API key",
    login_signs=LoginSigns(
        variables=(
            "OPENCODE_API_KEY",
            "OPENCODE_AUTH_CONTENT",
            "ANTHROPIC_API_KEY",
            "OPENAI_API_KEY",
            "GEMINI_API_KEY",
            "OPENROUTER_API_KEY",
        ),
        files=("opencode/auth.json",),
    ),
    tested_versions=("1.18.33",),
    permission_environment=MappingProxyType(PERMISSIONS),
    # INT and TERM end it alike, at once and without a word; its command survives both.
    interrupt_seconds=0.0,
    streaming_modes=JSON_MODES | {"text"},
    result_modes=JSON_MODES,
    session_files=SessionFiles(".local/share", "XDG_DATA_HOME", ("opencode/opencode.db",), rows=ROWS),
    mode_option=ModeOption(names=("--format",)),
    make_reader=text_or(lambda mode, _: OpencodeReader(mode)),
    make_renderer=renderer,
    make_command=command,
)
