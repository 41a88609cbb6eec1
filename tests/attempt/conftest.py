"""What the tests of attempts share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nova_async.attempt.job import Job
from nova_async.records import AttemptId

MakeJob = Callable[..., Job]


@pytest.fixture
def job(tmp_path: Path) -> MakeJob:
    """Give a maker of jobs that run a shell script in the test's own folder."""

    def make(script: str, task_id: str = "A1", number: int = 1, **more: Any) -> Job:
        values: dict[str, Any] = {"cwd": str(tmp_path), "log_name": f"{task_id}.log", **more}
        return Job(id=AttemptId("run", task_id, number), command=("sh", "-c", script), **values)

    return make
