"""Results belong to a plan, by its place beside the journal."""

from pathlib import Path

from nova_async.journal.plan_key import plan_key


def test_keys(tmp_path: Path) -> None:
    """A plan is named by its path as seen from the journal's folder, whichever way one goes there."""
    journal = tmp_path / ".nova" / "journal.db"
    (tmp_path / "specs" / "001").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "specs")
    assert plan_key(tmp_path / "CASCADE.md", journal) == "../CASCADE.md"
    assert plan_key(tmp_path / "specs" / "001" / "tasks.md", journal) == "../specs/001/tasks.md"
    assert plan_key(tmp_path / "link" / "001" / ".." / "001" / "tasks.md", journal) == "../specs/001/tasks.md"
    assert plan_key(tmp_path / "CASCADE.md", tmp_path / "journal.db") == "CASCADE.md"


def test_a_tree_that_moves_keeps_its_keys(tmp_path: Path) -> None:
    """The same tree at another place has the same keys; two plans of the same file name have two."""
    keys = {plan_key(tmp_path / place / "CASCADE.md", tmp_path / place / ".nova" / "journal.db") for place in "ab"}
    assert keys == {"../CASCADE.md"}
    journal = tmp_path / ".nova" / "journal.db"
    assert len({plan_key(tmp_path / place / "tasks.md", journal) for place in "ab"}) == 2


def test_a_journal_behind_a_link(tmp_path: Path) -> None:
    """A journal that is reached through a link has one folder: that of the file."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link.db").symlink_to(tmp_path / "real" / "journal.db")
    plan = tmp_path / "CASCADE.md"
    assert plan_key(plan, tmp_path / "link.db") == plan_key(plan, tmp_path / "real" / "journal.db") == "../CASCADE.md"
