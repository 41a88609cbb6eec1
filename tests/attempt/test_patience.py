"""An agent that says on standard error that it waits for its account's limit, and then prints nothing."""

import json
import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nova_async.attempt import patience
from nova_async.attempt.local_attempt import run_attempt
from nova_async.records import AttemptFacts
from nova_async.words import Outcome
from tests.attempt.conftest import MakeJob

BEGIN = {"type": "init", "session_id": "s", "model": "gemini-2.5-pro"}
ANSWER = {"type": "message", "role": "assistant", "content": "Done."}
END = {"type": "result", "status": "success", "stats": {"total_tokens": 12, "input_tokens": 5, "cached": 0}}
WAITS = "Attempt 1 failed: You have exhausted your capacity. It will reset after 1h0m5s.. Retrying after 3605000ms..."


def says(event: dict[str, object]) -> str:
    """Return a shell's command that prints an event."""
    return f"echo {shlex.quote(json.dumps(event))}"


async def test_an_agent_that_waits_for_its_limit_is_not_waited_for(
    tmp_path: Path, job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would sleep for an hour with its task; ended, its limit is known, and another agent may take over."""
    monkeypatch.setattr(patience, "SECONDS", 0.2)
    script = f"{says(BEGIN)}; echo '{WAITS}' >&2; exec sleep 60"
    end = await run_attempt(job(script, agent="gemini"), log_dir=tmp_path / "logs")
    assert (end.outcome, end.limit_kind, end.session_id) == (Outcome.LIMIT, "capacity", "s"), end.error
    assert end.limit_resets_at is not None
    assert timedelta(minutes=59) < end.limit_resets_at - datetime.now(UTC) < timedelta(minutes=61)


async def test_an_agent_that_goes_on_did_not_say_that(
    tmp_path: Path, job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hook or a tool's server may print such a line, too: the next event shows that nobody waits."""
    monkeypatch.setattr(patience, "SECONDS", 1.0)
    read = tmp_path / "read"

    def note(facts: AttemptFacts) -> None:
        if (facts.activity or "").startswith("retrying"):
            read.touch()

    until_read = f"until [ -e {read} ]; do sleep 0.02; done"
    script = f"{says(BEGIN)}; echo '{WAITS}' >&2; {until_read}; {says(ANSWER)}; sleep 1.2; {says(END)}"
    end = await run_attempt(job(script, agent="gemini"), note, log_dir=tmp_path / "logs")
    assert (end.outcome, end.limit_kind) == (Outcome.OK, None), end.error
