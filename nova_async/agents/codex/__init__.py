"""Codex: how it is called, stopped and read.

From the recorded calls and the options of version 0.169.0 (docs/agents.md).
"""

from nova_async.agents.agent import JSON_MODES, Agent, Call, LoginSigns, ModeOption, SessionFiles, option, text_or
from nova_async.agents.codex.reader import CodexReader
from nova_async.agents.codex.session import CodexSession, is_related
from nova_async.agents.configuration import Configuration
from nova_async.agents.rendering import PlainRenderer, Renderer
from nova_async.words import Permissions

__all__ = ["CODEX"]

PERMISSIONS = {
    Permissions.READ: ("--sandbox", "read-only"),
    # Commands run in a sandbox of the system: they write in the folder (but not in its .git) and reach no network.
    Permissions.EDIT: ("--sandbox", "workspace-write"),
    Permissions.FULL: ("--dangerously-bypass-approvals-and-sandbox",),
    Permissions.OWN: (),  # in its own default it may not write
}


def command(call: Call) -> list[str]:
    """Run outside a git checkout, too; a resumed thread keeps its id."""
    return [
        *("codex", "exec", "--json", "--skip-git-repo-check", *PERMISSIONS[call.permissions]),
        *option("-m", call.model),
        *call.extra,
        *option("resume", call.resume),
        *("--", call.prompt),  # it could be the name of a subcommand
    ]


def renderer(mode: str | None) -> Renderer:
    """Show events; in text mode each line as it is."""
    from nova_async.agents.codex.renderer import CodexRenderer  # only people need it

    return PlainRenderer() if mode == "text" else CodexRenderer(CODEX.reader(mode))


CODEX = Agent(
    name="codex",
    program="codex",
    provider="openai",
    packages=("@openai/codex",),
    install="npm install -g @openai/codex",
    login="run `codex login`, or set CODEX_API_KEY",
    login_signs=LoginSigns(variables=("CODEX_API_KEY", "CODEX_ACCESS_TOKEN"), files=("auth.json",)),
    tested_versions=("0.169.0",),
    # Ends its command within 0.1 s; after TERM that would live on.
    interrupt_seconds=3.0,
    streaming_modes=JSON_MODES | {"text"},  # in text mode it tells each step on standard error
    result_modes=JSON_MODES,
    whole_account_limits=frozenset(
        {
            "five_hour",
            "seven_day",
            "primary",
            "secondary",
            "usage",
            "monthly",
            "quota",
            "credit",
            "plan",
        }
    ),
    tells_cost=False,
    tells_denials=False,  # of a command that its sandbox stopped there is no event at all
    session_files=SessionFiles(
        ".codex",
        "CODEX_HOME",
        ("sessions/*/*/*/rollout-*-{session_id}.jsonl",),
        related=("sessions/*/*/*/rollout-*.jsonl",),
        is_related=is_related,
        make_reader=CodexSession,
        tell_before=True,
        are_whole=True,
    ),
    configuration=Configuration(
        variable="CODEX_HOME",
        folder=".codex",
        copied=("config.toml", "version.json", "installation_id", "models_cache.json", "hooks.json"),
        logins=("auth.json", ".credentials.json"),
        kept=("sessions",),
        linked=("AGENTS.md", "AGENTS.override.md", "prompts", "skills", "rules", "plugins", "memories"),
    ),
    mode_option=ModeOption(flags=("--json", "--experimental-json")),
    make_reader=text_or(CodexReader),
    make_renderer=renderer,
    make_command=command,
)
