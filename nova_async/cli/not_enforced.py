"""What a plan may say but this version does not act on yet: a setting that looks set and is not could cost money."""

from nova_async.agents import AGENTS
from nova_async.cascade import Cascade

__all__ = ["not_enforced"]

# Keys of the front matter, each with what does not happen.
SETTINGS = {
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
    # Only the agents' own command lines have a place for it, and not those of all agents.
    able = [name for name, agent in AGENTS.items() if agent.caps_turns]
    turns = [
        task.id for task in tasks
        if task.options.max_turns and (task.options.agent not in able or cascade.command_of(task) is not None)
    ]  # fmt: skip
    if turns:
        takers = " and ".join(name for name, agent in AGENTS.items() if agent.caps_turns)
        found.append(f"max_turns is not enforced{named(turns)}: only the command lines of {takers} take it")
    return found + budgets_that_nothing_holds(cascade)


def budgets_that_nothing_holds(cascade: Cascade) -> list[str]:
    """Say which budgets come too late, because the agent tells its numbers at its end or not at all."""
    settings, found = cascade.settings, []
    # Of a command of the plan's own, nobody knows what its program prints.
    tasks = [task for task in cascade.tasks.values() if cascade.command_of(task) is None]
    for task_agent in dict.fromkeys(task.options.agent for task in tasks):
        agent = AGENTS.get(task_agent)
        mine = [task for task in tasks if task.options.agent == task_agent]
        dollars = [task.id for task in mine if task.options.budget_usd or settings.budget_usd]
        tokens = [task.id for task in mine if task.options.budget_tokens or settings.budget_tokens]
        if agent is None:
            continue
        if dollars and not (agent.caps_cost or agent.costs_live):
            found.append(f"budget_usd is not enforced{named(dollars)}: {agent.name} tells no cost while it works")
        if tokens and not agent.counts_live:
            found.append(f"budget_tokens acts late{named(tokens)}: {agent.name} tells its tokens at its end")
    return found


def named(tasks: list[str]) -> str:
    """Name the tasks that are meant, or the first of many."""
    more = f" and {len(tasks) - 3} more" if len(tasks) > 3 else ""
    return f" ({', '.join(tasks[:3])}{more})"
