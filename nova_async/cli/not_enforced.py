"""What a plan may say but this version does not act on yet: a setting that looks set and is not could cost money."""

from nova_async.cascade import Cascade

__all__ = ["not_enforced"]

# Keys of the front matter, each with what does not happen.
SETTINGS = {
    "budget_usd": "the run is not stopped by what it costs",
    "budget_tokens": "the run is not stopped by the tokens it uses",
    "on_usage_limit": "nothing waits for a usage limit to pass",
    "isolate_config": "agents use their usual configuration",
    "redact": "logs are written as they come",
    "notify": "nobody is notified",
    "prices": "costs are what the agents themselves tell",
    "base_branch": "no worktrees are made",
}


def not_enforced(cascade: Cascade) -> list[str]:
    """Say in one sentence each what is written in the plan and not acted on yet."""
    settings = cascade.settings
    idle = {"on_usage_limit": settings.on_usage_limit != "wait", "isolate_config": not settings.isolate_config}
    found = [
        f"{key} is not enforced yet: {effect}"
        for key, effect in SETTINGS.items()
        if key in settings.written and not idle.get(key, False)
    ]
    tasks = cascade.tasks.values()
    worktrees = [task.id for task in tasks if task.options.worktree]
    if worktrees:
        found.append(f"worktree is not enforced yet{named(worktrees)}: tasks share one working tree")
    # Only Claude's own command line has a place for it.
    own = settings.command is None
    turns = [task.id for task in tasks if task.options.max_turns and not (own and task.options.agent == "claude")]
    if turns:
        found.append(f"max_turns is not enforced{named(turns)}: only claude's own command line takes it")
    return found


def named(tasks: list[str]) -> str:
    """Name the tasks that are meant, or the first of many."""
    more = f" and {len(tasks) - 3} more" if len(tasks) > 3 else ""
    return f" ({', '.join(tasks[:3])}{more})"
