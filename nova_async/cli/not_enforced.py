"""What a plan may say but this version does not act on yet: a setting that looks set and is not could cost money."""

from nova_async.agents import AGENTS, recognise
from nova_async.cascade import Cascade, Task
from nova_async.orchestrator.countable import late_budgets, named
from nova_async.orchestrator.price_search import can_be_estimated

__all__ = ["not_enforced"]

# Keys of the front matter, each with what does not happen.
SETTINGS = {
    "base_branch": "no worktrees are made",
}


def not_enforced(cascade: Cascade) -> list[str]:
    """Say in one sentence each what is written in the plan and not acted on yet."""
    settings = cascade.settings
    found = [f"{key} is not enforced yet: {effect}" for key, effect in SETTINGS.items() if key in settings.written]
    tasks = cascade.tasks.values()
    if unused := [task.id for task in tasks if len(cascade.in_order(task)) < len(task.options.in_order)]:
        why = "the plan's own command is one program"
        if "on_usage_limit" in settings.written and settings.on_usage_limit != "next":
            why = f'on_usage_limit = "{settings.on_usage_limit}"'
        found.append(f"not all agents of the order are used{named(unused)}: {why}")
    if settings.isolate_config and (shared := [task.id for task in tasks if not can_be_isolated(cascade, task)]):
        found.append(f"isolate_config has no effect{named(shared)}: their agents have no configuration to isolate")
    worktrees = [task.id for task in tasks if task.options.worktree]
    if worktrees:
        found.append(f"worktree is not enforced yet{named(worktrees)}: tasks share one working tree")
    # Only the agents' own command lines have a place for it, and not those of all agents.
    turns = [
        task.id for task in tasks
        if task.options.max_turns and (not caps_turns(task.options.agent) or cascade.command_of(task) is not None)
    ]  # fmt: skip
    if turns:
        takers = " and ".join(name for name, agent in AGENTS.items() if agent.caps_turns)
        found.append(f"max_turns is not enforced{named(turns)}: only {takers} support it")
    return found + late_budgets(cascade, can_be_estimated(cascade))


def caps_turns(name: str) -> bool:
    """Tell whether an agent can be told how often it may call its model."""
    agent = AGENTS.get(name)
    return agent is not None and agent.caps_turns


def can_be_isolated(cascade: Cascade, task: Task) -> bool:
    """Tell whether an agent of a task can have a configuration of its own."""
    command = cascade.command_of(task)
    agents = [AGENTS.get(each.options.agent) for each in cascade.in_order(task)]
    if command is not None and not cascade.is_written(task, "agent"):
        agents = [recognise(command)]
    return any(agent is not None and agent.configuration is not None for agent in agents)
