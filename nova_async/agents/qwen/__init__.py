"""Qwen Code: how it is called, stopped and read.

From the recorded calls and the options of version 0.15.10 (docs/agents.md).
"""

from nova_async.agents.agent import JSON_MODES, Agent, Call, LoginSigns, ModeOption, SessionFiles, option, text_or
from nova_async.agents.configuration import Configuration
from nova_async.agents.failures import EXIT_MEANINGS
from nova_async.agents.qwen.reader import QwenReader
from nova_async.agents.qwen.session import QwenSession
from nova_async.agents.rendering import PlainRenderer, Renderer
from nova_async.words import Permissions

__all__ = ["QWEN"]

PERMISSIONS = {
    Permissions.READ: ("--approval-mode", "plan"),
    # With nobody to ask, it runs no command unless the user's rules allow it; its files need not lie in its folder.
    Permissions.EDIT: ("--approval-mode", "auto-edit"),
    Permissions.FULL: ("--approval-mode", "yolo"),
    Permissions.OWN: (),
}


def command(call: Call) -> list[str]:
    """Stream events."""
    return [
        *("qwen", "-p", call.prompt, "-o", "stream-json", *PERMISSIONS[call.permissions]),
        *option("-m", call.model),
        *option("--resume", call.resume),
        *option("--max-session-turns", call.max_turns),
        *call.extra,
    ]


def renderer(mode: str | None) -> Renderer:
    """Show events; in text mode each line as it is."""
    from nova_async.agents.qwen.renderer import QwenRenderer  # only people need it

    return PlainRenderer() if mode == "text" else QwenRenderer(QWEN.reader(mode))


QWEN = Agent(
    name="qwen",
    program="qwen",
    packages=("@qwen-code/qwen-code",),
    install="npm install -g @qwen-code/qwen-code",
    login="run `qwen auth`, or set OPENAI_API_KEY, OPENAI_BASE_URL and OPENAI_MODEL",
    login_signs=LoginSigns(
        variables=(
            "OPENAI_API_KEY",
            "DASHSCOPE_API_KEY",
            "BAILIAN_CODING_PLAN_API_KEY",
            "ANTHROPIC_API_KEY",
            "GEMINI_API_KEY",
            "OPENROUTER_API_KEY",
        ),
        files=("oauth_creds.json",),
    ),
    tested_versions=("0.15.10", "0.24.4"),
    # INT ends its wrapper and lets the agent go on; after TERM to the group it cleans up.
    interrupt_seconds=0.0,
    streaming_modes=frozenset({"stream-json"}),
    result_modes=JSON_MODES,
    tells_cost=False,
    names_models=True,
    exit_meanings=EXIT_MEANINGS,
    caps_turns=True,
    counts_live=True,
    session_files=SessionFiles(
        ".qwen",
        "QWEN_HOME",
        ("projects/*/chats/{session_id}.jsonl",),
        sessions_variable="QWEN_RUNTIME_DIR",
        make_reader=QwenSession,
    ),
    configuration=Configuration(
        variable="QWEN_HOME",
        folder=".qwen",
        copied=("settings.json", "trustedFolders.json", "installation_id"),
        logins=("oauth_creds.json", "mcp-oauth-tokens.json"),
        kept=("projects", "tmp"),
        linked=("QWEN.md", ".env", "commands", "extensions", "skills", "agents", "output-language.md"),
    ),
    mode_option=ModeOption(names=("-o", "--output-format", "--outputFormat")),
    make_reader=text_or(QwenReader),
    make_renderer=renderer,
    make_command=command,
)
