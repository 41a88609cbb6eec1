"""Of which events of a run somebody is to be notified, each once, and in which words. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

from nova_async._core.text import one_line
from nova_async.control.event_words import describe_event
from nova_async.records import Event
from nova_async.words import EventKind, NoticeKind, Outcome

__all__ = ["Due", "Notice"]

MOST = 100  # notices of one run, without that of its end: nobody reads more, and a plan may have 10,000 gates
LONGEST_TITLE = 100  # characters
LONGEST_VALUE = 2_000  # characters of a text in the event, as of an agent's answer in the state file
MOST_ITEMS = 100  # of a list in the event, such as the tasks that a failure blocks
RUNS_BUDGET = NoticeKind.BUDGET, "the run's"


@final
@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that somebody is notified of."""

    kind: NoticeKind
    title: str
    text: str
    event: Event
    run: Mapping[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Return it as a JSON object: the event as ``nova run --json`` writes it, and what it means."""
        event = {name: cut(value) for name, value in self.event.as_dict().items()}
        return {**event, "notice": str(self.kind), "title": self.title, "text": self.text, **self.run}


def cut(value: Any) -> Any:
    """Return a value of an event, cut to what a notice is good for."""
    if isinstance(value, str):
        return value if len(value) <= LONGEST_VALUE else f"{value[:LONGEST_VALUE]}…"
    if isinstance(value, Mapping):
        return {name: cut(item) for name, item in list(value.items())[:MOST_ITEMS]}
    return [cut(item) for item in value[:MOST_ITEMS]] if isinstance(value, list | tuple) else value


@final
class Due:
    """What a run has been notified of, so that it is not again."""

    def __init__(self, project: str, plan: str) -> None:
        self._project = project
        self._plan = plan
        self._known: set[tuple[str, ...]] = set()

    def notice(self, event: Event) -> Notice | None:
        """Return what is to be told because of an event; None where that is nothing, or was told before."""
        if event.kind is EventKind.BUDGET_CHANGED:
            self._known = {known for known in self._known if known[:2] != RUNS_BUDGET}
        found = subject_of(event)
        if found is None or found in self._known:
            return None
        kind = NoticeKind(found[0])
        if kind is not NoticeKind.END and len(self._known) >= MOST:
            return None
        self._known.add(found)
        text = denied(event) if event.kind is EventKind.ATTEMPT_ENDED else describe_event(event)
        run = {"project": self._project, "plan": self._plan, "run_id": event.run_id}
        return Notice(
            kind,
            one_line(f"nova: {self._project or self._plan}", LONGEST_TITLE),
            text.removeprefix("warning: "),
            event,
            run,
        )


def subject_of(event: Event) -> tuple[str, ...] | None:
    """Return of what kind a notice of an event is, and about what: told once; None if nobody is notified of it."""
    data = event.data
    match event.kind:
        case EventKind.RUN_ENDED:
            return (NoticeKind.END,)
        case EventKind.TASK_FAILED:
            return (NoticeKind.FAILURE,)
        case EventKind.APPROVAL_NEEDED:
            return NoticeKind.BLOCKED, "approval", str(event.task_id)
        case EventKind.ATTEMPT_ENDED if data.get("denied"):
            return NoticeKind.BLOCKED, "denied"
        case EventKind.LIMIT_REACHED:
            return NoticeKind.LIMIT, str(data.get("agent")), str(data.get("model"))
        case EventKind.LIMIT_NEAR:
            return NoticeKind.LIMIT, str(data.get("agent")), str(data.get("limit")), "near"
        case EventKind.TASK_HELD if data.get("is_out_of_budget"):
            return NoticeKind.BUDGET, "a task's", "used up"
        case EventKind.WARNING if data.get("budget_of", "") is None:
            return *RUNS_BUDGET, "used up" if data.get("is_used_up") else "nearly used up"
        case EventKind.WARNING if "held" in data:
            is_limit = data.get("outcome") == Outcome.LIMIT
            return NoticeKind.LIMIT if is_limit else NoticeKind.BLOCKED, str(data["held"])
        case _:
            return None


def denied(event: Event) -> str:
    """Say which tools an agent was denied."""
    return one_line(f"{event.task_id}: the agent was denied {', '.join(map(str, event.data['denied']))}")
