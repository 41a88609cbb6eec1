"""What a run knows and must not tell: nothing of it gets into a view, an event, the journal or the state file."""

import os
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, final

from nova_async.cascade import Cascade, Task
from nova_async.records import AttemptEnd
from nova_async.redaction import Redaction, check_rules, redaction_of

__all__ = ["Secrets", "with_redact"]


def with_redact(cascade: Cascade, rules: Collection[str]) -> Cascade:
    """Return a plan for which more is redacted than it says itself.

    Raises ``TypeError`` for what is no list of strings, and ``ValueError`` for what is neither a name nor a pattern.
    """
    if not (added := check_rules(rules)):
        return cascade
    redact = tuple(dict.fromkeys((*cascade.settings.redact, *added)))
    return replace(cascade, settings=replace(cascade.settings, redact=redact))


@final
class Secrets:
    """The values that a plan wants redacted, as they are on this machine.

    What agents print is redacted where they run; this is about the plan's own texts, which may hold a value as well.
    """

    def __init__(self, cascade: Cascade) -> None:
        settings = cascade.settings
        self.redaction: Redaction = redaction_of(settings.redact, os.environ, settings.env, *settings.accounts.values())

    def shown(self, cascade: Cascade) -> Cascade:
        """Return the plan as others see it; prompts stay as they are, for they are shown to nobody."""
        if not self.redaction:
            return cascade
        tasks = {task.id: self._shown_task(task) for task in cascade.tasks.values()}
        texts = self.redaction.text
        milestones = tuple(replace(each, message=texts(each.message)) for each in cascade.milestones)
        settings = replace(cascade.settings, milestones=milestones)
        return replace(cascade, project=texts(cascade.project), tasks=tasks, settings=settings)

    def of_event(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Return the details of an event without secrets."""
        return {name: self._clean(value) for name, value in data.items()} if self.redaction else dict(data)

    def of_end(self, end: AttemptEnd) -> AttemptEnd:
        """Return how an attempt ended, without secrets in what we say about it."""
        if not self.redaction or end.error is None:
            return end
        return replace(end, error=self.redaction.text(end.error))

    def _shown_task(self, task: Task) -> Task:
        text = self.redaction.text
        return replace(task, name=text(task.name), branch=text(task.branch), group=text(task.group))

    def _clean(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.redaction.text(value)
        if isinstance(value, Mapping):
            return {name: self._clean(item) for name, item in value.items()}
        return [self._clean(item) for item in value] if isinstance(value, list | tuple) else value
