"""Gemini CLI: how it is called, stopped and read.

From the recorded calls and the options of version 0.61.0 (docs/agents.md).
"""

from types import MappingProxyType

from nova_async.agents.agent import JSON_MODES, Agent, Call, LoginSigns, ModeOption, SessionFiles, option, text_or
from nova_async.agents.configuration import Configuration
from nova_async.agents.failures import EXIT_MEANINGS
from nova_async.agents.gemini.reader import GeminiReader
from nova_async.agents.gemini.session import GeminiSession
from nova_async.agents.rendering import PlainRenderer, Renderer
from nova_async.words import Permissions

__all__ = ["GEMINI"]

PERMISSIONS = {
    Permissions.READ: ("--approval-mode", "plan", "--skip-trust"),
    # It writes in its folder; with nobody to ask, it runs only commands that the user's policies allow.
    Permissions.EDIT: ("--approval-mode", "auto_edit", "--skip-trust"),
    Permissions.FULL: ("--approval-mode", "yolo", "--skip-trust"),
    Permissions.OWN: (),  # it may refuse to work in a folder that the user has not trusted
}


def command(call: Call) -> list[str]:
    """Stream events."""
    return [
        *("gemini", "-p", call.prompt, "-o", "stream-json", *PERMISSIONS[call.permissions]),
        *option("-m", call.model),
        *option("--resume", call.resume),
        *call.extra,
    ]


def renderer(mode: str | None) -> Renderer:
    """Show events; in text mode each line as it is."""
    from nova_async.agents.gemini.renderer import GeminiRenderer  # only people need it

    return PlainRenderer() if mode == "text" else GeminiRenderer(GEMINI.reader(mode), mode)


GEMINI = Agent(
    name="gemini",
    program="gemini",
    provider="gcp.gemini",
    packages=("@google/gemini-cli",),
    install="npm install -g @google/gemini-cli",
    login="run `gemini` and choose how to log in, or set GEMINI_API_KEY",
    login_signs=LoginSigns(
        variables=(
            "GEMINI_API_KEY",
            "GOOGLE_API_KEY",
            "GOOGLE_GENAI_USE_VERTEXAI",
            "GOOGLE_GENAI_USE_GCA",
            "GOOGLE_APPLICATION_CREDENTIALS",
        ),
        files=("oauth_creds.json", "gemini-credentials.json"),
    ),
    tested_versions=("0.61.0",),
    # Its wrapper ignores signals to itself alone (G36).
    environment=MappingProxyType({"GEMINI_CLI_NO_RELAUNCH": "true"}),
    # INT gains nothing here: no result either way, and it takes 2 s where TERM takes less than one.
    interrupt_seconds=0.0,
    streaming_modes=frozenset({"stream-json"}),
    result_modes=JSON_MODES,
    tells_cost=False,
    names_models=True,
    exit_meanings=EXIT_MEANINGS,
    session_files=SessionFiles(
        ".gemini",
        None,
        ("tmp/*/chats/session-*-{session_id:.8}.jsonl", "tmp/*/chats/{session_id}/*.jsonl"),
        home_variable="GEMINI_CLI_HOME",
        make_reader=GeminiSession,
    ),
    configuration=Configuration(
        variable="GEMINI_CLI_HOME",
        folder="",
        copied=(
            *(".gemini/settings.json", ".gemini/trustedFolders.json", ".gemini/projects.json", ".gemini/state.json"),
            *(".gemini/installation_id", ".gemini/google_accounts.json"),
        ),
        logins=(".gemini/oauth_creds.json", ".gemini/gemini-credentials.json", ".gemini/mcp-oauth-tokens.json"),
        kept=(".gemini/tmp", ".gemini/history"),
        linked=(
            *(".gemini/GEMINI.md", ".gemini/.env", ".gemini/commands", ".gemini/extensions", ".gemini/policies"),
            *(".gemini/skills", ".gemini/agents", ".agents", ".env"),
        ),
    ),
    mode_option=ModeOption(names=("-o", "--output-format", "--outputFormat")),
    make_reader=text_or(lambda mode, _: GeminiReader(mode)),
    make_renderer=renderer,
    make_command=command,
)
