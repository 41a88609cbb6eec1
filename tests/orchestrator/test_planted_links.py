"""A run in a checkout that somebody else has filled: what he put in the place of our files leads it nowhere."""

from pathlib import Path

import pytest

from nova_async import Orchestrator
from nova_async.errors import NovaError
from tests.orchestrator.test_running import plan

ONE = "ID | What\nA1 | echo hi"


@pytest.fixture
def precious(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be in a checkout, and make a file elsewhere that must stay as it is."""
    (tmp_path / "checkout").mkdir()
    monkeypatch.chdir(tmp_path / "checkout")
    path = tmp_path / "elsewhere" / "precious"
    path.parent.mkdir()
    path.write_text("precious")
    return path


@pytest.mark.parametrize("place", ["logs", ".nova"])
async def test_a_folder_that_is_a_link_begins_nothing(place: str, precious: Path) -> None:
    """The run says which link it does not follow, and has written nothing."""
    Path(place).symlink_to(precious.parent)
    with pytest.raises(NovaError, match=rf"{place}: it is a symbolic link to .*elsewhere, which nova does not follow"):
        await Orchestrator(plan(ONE)).run()
    assert list(precious.parent.iterdir()) == [precious]
    assert [path.name for path in Path().iterdir()] == [place]


async def test_a_log_that_is_a_link_fails_its_task(precious: Path) -> None:
    """Only the task whose log it would be fails, and says why."""
    Path("logs").mkdir()
    Path("logs/A1.log").symlink_to(precious)
    report = await Orchestrator(plan(f"{ONE}\nB1 | echo hi")).run()
    assert "which nova does not follow" in (report.tasks["A1"].error or "")
    assert [task.state for task in report.tasks.values()] == ["failed", "completed"]
    assert precious.read_text() == "precious"


async def test_a_state_file_that_is_a_link_is_replaced(precious: Path) -> None:
    """The run goes on and says so; the file that the link led to stays as it is."""
    Path("cascade_state.json").symlink_to(precious)
    report = await Orchestrator(plan(ONE)).run()
    assert report.ok
    assert report.warnings == (
        f"cascade_state.json was a symbolic link to {precious}; it is replaced by a file (--state FILE follows links)",
    )
    assert (precious.read_text(), Path("cascade_state.json").is_symlink()) == ("precious", False)
