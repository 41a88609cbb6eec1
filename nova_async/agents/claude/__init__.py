"""Claude Code: how it is called, stopped and read.

From the recorded calls and the options of version 2.1.197; 2.1.332 takes the same (docs/agents.md).
"""

from types import MappingProxyType

from nova_async.agents.agent import JSON_MODES, Agent, Call, LoginSigns, ModeOption, SessionFiles, option
from nova_async.agents.claude.reader import ClaudeReader
from nova_async.agents.claude.session import ClaudeSession
from nova_async.agents.configuration import Configuration
from nova_async.agents.rendering import PlainRenderer, Renderer
from nova_async.words import Permissions

__all__ = ["CLAUDE"]

# What takes the next word even if it looks like an option; the other programs refuse that
VALUES = frozenset(
    {
        *("--model", "--fallback-model", "--effort", "--agent", "--agents", "--session-id", "--input-format"),
        *("--system-prompt", "--append-system-prompt", "--system-prompt-file", "--append-system-prompt-file"),
        *("--max-turns", "--max-budget-usd", "--json-schema", "--permission-mode", "--permission-prompt-tool"),
        *("--settings", "--setting-sources", "--debug-file"),
    }
)

PERMISSIONS = {
    # Plan mode would still run every command that the user's rules allow. Without a tool that writes or runs there is
    # nothing to allow; one word with "=", because "--tools" takes all the words that follow it.
    Permissions.READ: ("--permission-mode", "default", "--tools=Read,Glob,Grep,WebFetch,WebSearch,Task"),
    # It writes in its folder, runs simple file commands there, and whatever the user's rules allow.
    Permissions.EDIT: ("--permission-mode", "acceptEdits"),
    # Refused for root with exit code 1, unless IS_SANDBOX=1 says that the whole machine is one.
    Permissions.FULL: ("--permission-mode", "bypassPermissions"),
    Permissions.OWN: (),
}


def command(call: Call) -> list[str]:
    """Stream events with exact live counts; without --verbose it refuses to."""
    return [
        # The prompt goes first: an option like --allowedTools takes all the words that follow it.
        *("claude", "-p", call.prompt, "--output-format", "stream-json", "--verbose", "--include-partial-messages"),
        *PERMISSIONS[call.permissions],
        *option("--model", call.model),
        *option("--resume", call.resume),
        *option("--max-turns", call.max_turns),
        *option("--max-budget-usd", call.max_cost_usd),
        *call.extra,
    ]


def renderer(mode: str | None) -> Renderer:
    """Show events; in text mode each line as it is."""
    from nova_async.agents.claude.renderer import ClaudeRenderer  # only people need it

    return PlainRenderer() if mode == "text" else ClaudeRenderer(CLAUDE.reader(mode))


CLAUDE = Agent(
    name="claude",
    program="claude",
    provider="anthropic",
    packages=("@anthropic-ai/claude-code",),
    install="npm install -g @anthropic-ai/claude-code",
    login="run `claude` and type /login, or set ANTHROPIC_API_KEY",
    login_signs=LoginSigns(
        variables=(
            "ANTHROPIC_API_KEY",
            "ANTHROPIC_AUTH_TOKEN",
            "CLAUDE_CODE_OAUTH_TOKEN",
            "CLAUDE_CODE_USE_BEDROCK",
            "CLAUDE_CODE_USE_VERTEX",
            "CLAUDE_CODE_USE_FOUNDRY",
        ),
        files=(".credentials.json",),
    ),
    tested_versions=("2.1.197", "2.1.332"),
    environment=MappingProxyType(
        {
            "DISABLE_AUTOUPDATER": "1",
            "DISABLE_TELEMETRY": "1",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        }
    ),
    # Ends its command and mostly prints exact totals within 0.25 s; after TERM it does neither (G37).
    interrupt_seconds=3.0,
    streaming_modes=frozenset({"stream-json"}),
    result_modes=JSON_MODES,
    caps_turns=True,
    caps_cost=True,
    not_for_root=MappingProxyType({Permissions.FULL: "IS_SANDBOX"}),
    whole_account_limits=frozenset({"five_hour", "seven_day", "usage", "monthly", "credit"}),
    counts_live=True,
    names_models=True,
    session_files=SessionFiles(
        ".claude",
        "CLAUDE_CONFIG_DIR",
        ("projects/*/{session_id}.jsonl", "projects/*/{session_id}/subagents/agent-*.jsonl"),
        make_reader=ClaudeSession,
    ),
    configuration=Configuration(
        variable="CLAUDE_CONFIG_DIR",
        folder=".claude",
        copied=(".claude.json", "settings.json", "remote-settings.json", "policy-limits.json"),
        beside=(".claude.json",),
        logins=(".credentials.json",),
        login_variable="CLAUDE_SECURESTORAGE_CONFIG_DIR",
        kept=("projects",),
        linked=("CLAUDE.md", "rules", "agents", "commands", "skills", "output-styles", "hooks", "plugins"),
    ),
    mode_option=ModeOption(names=("--output-format",), with_value=VALUES),
    make_reader=lambda mode, _: ClaudeReader(mode),
    make_renderer=renderer,
    make_command=command,
)
