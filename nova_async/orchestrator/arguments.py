"""What an ``Orchestrator`` is made from, checked: each refusal says what to write instead."""

import inspect
import os
from collections.abc import Callable, Collection, Mapping
from typing import Any

from nova_async._core.arguments import told
from nova_async.agents import AGENTS
from nova_async.cascade import Cascade
from nova_async.cascade.agent_order import check_accounts

__all__ = ["check_arguments", "check_only"]

EXECUTORS_HAVE = ("submit", "reclaim", "close")


def check_only(cascade: Cascade, only: Any) -> frozenset[str] | None:
    """Return the ids of the tasks that are to run, checked; None where all are.

    Raises ``TypeError`` for a single text, and ``ValueError`` for no id at all or one that no task has.
    """
    if only is None:
        return None
    if isinstance(only, str) or not isinstance(only, Collection):
        raise TypeError(f"only must be a collection of task ids, not {told(only)}: write only={{'T1'}}")
    if not only:
        raise ValueError("only names no task: leave it out to run all")
    return cascade.select(only)


def check_arguments(
    cascade: Any, agent: Any, max_workers: Any, callbacks: Mapping[str, Callable[..., object] | None], executor: Any
) -> None:
    """Check what was given; ``callbacks`` are by their names.

    Raises ``TypeError`` for what is something else altogether, and ``ValueError`` for a number of workers below one or
    an agent that nobody knows.
    """
    if isinstance(cascade, str | os.PathLike):
        how = "parse_cascade(text)" if "\n" in str(cascade) else f"load_cascade({str(cascade)!r})"
        raise TypeError(f"cascade must be a Cascade, not {told(cascade)}: write Orchestrator({how})")
    if not isinstance(cascade, Cascade):
        raise TypeError(f"cascade must be a Cascade, not {told(cascade)}: read a plan with load_cascade(path)")
    if max_workers is not None and (isinstance(max_workers, bool) or not isinstance(max_workers, int)):
        raise TypeError(f"max_workers must be a whole number, not {told(max_workers)}")
    if max_workers is not None and max_workers < 1:
        raise ValueError(f"max_workers must be at least 1, not {max_workers}")
    check_agent(cascade, agent)
    for name, callback in callbacks.items():
        if callback is not None and not callable(callback):
            raise TypeError(f"{name} must be a function, not {told(callback)}")
        if inspect.iscoroutinefunction(callback):
            raise TypeError(f"{name} must be an ordinary function: nobody would await {told(callback)}")
    if isinstance(executor, type):
        raise TypeError(f"executor must be an object, not its class: write {executor.__name__}(…)")
    missing = [name for name in EXECUTORS_HAVE if executor is not None and not hasattr(executor, name)]
    if missing:
        raise TypeError(f"executor has no {', '.join(missing)}: {told(executor)}")


def check_agent(cascade: Cascade, agent: Any) -> None:
    """Check an agent, or several in their order; raises ``ValueError`` for one or an account that nobody knows."""
    if agent is None:
        return
    words = [agent] if isinstance(agent, str) or not isinstance(agent, Collection) else list(agent)
    for word in words or [agent]:
        if not isinstance(word, str) or word.partition("@")[0] not in AGENTS:
            raise ValueError(f"unknown agent {told(word)}: choose one of {', '.join(AGENTS)}")
    check_accounts(words, cascade.settings.accounts)
