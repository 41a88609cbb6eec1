"""How much memory there is for new processes: the machine's, or what our control group has left."""

from pathlib import Path

import psutil
import pytest

from nova_async.process.free_memory import available_memory, left_in_groups


def make_group(folder: Path, **files: str) -> None:
    """Make a control group with such files; ``_`` stands for the dot in their names."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("_", ".", 1)).write_text(f"{text}\n")


def left(tmp_path: Path, ours: str) -> int | None:
    """Return what is left for a process in these groups."""
    (tmp_path / "cgroup").write_text(ours)
    return left_in_groups(tmp_path / "cgroup", tmp_path)


def test_the_tightest_group_counts(tmp_path: Path) -> None:
    """Our group and all above it limit us; what the kernel can give up is available."""
    make_group(tmp_path, memory_max="max", memory_current="900")
    make_group(tmp_path / "a", memory_max="1000", memory_current="900", memory_stat="anon 700\ninactive_file 150")
    make_group(tmp_path / "a/b", memory_max="max", memory_high="5000", memory_current="100")
    assert left(tmp_path, "0::/a/b\n") == 250
    make_group(tmp_path / "a/b", memory_high="120")
    assert left(tmp_path, "0::/a/b\n") == 20
    make_group(tmp_path / "a/b", memory_high="50")
    assert left(tmp_path, "0::/a/b\n") == 0
    assert left(tmp_path, "0::/elsewhere/../c\n") is None


def test_groups_of_the_first_version(tmp_path: Path) -> None:
    """They are mounted by controller, and name their files otherwise."""
    names = {"limit_in_bytes": "1000", "usage_in_bytes": "600", "stat": "cache 1\ntotal_inactive_file 50"}
    (tmp_path / "memory/a").mkdir(parents=True)
    for name, text in names.items():
        (tmp_path / "memory/a" / f"memory.{name}").write_text(text)
    assert left(tmp_path, "5:cpu:/a\n4:memory:/a\n0::/\n") == 450


@pytest.mark.parametrize("ours", ["", "nonsense", "0::/", "4:memory:/x\n0::/y"])
def test_no_group_is_no_limit(ours: str, tmp_path: Path) -> None:
    """Where there is none, or none with a limit, the machine alone counts."""
    assert left(tmp_path, ours) is None
    assert left_in_groups(tmp_path / "nowhere", tmp_path) is None


def test_there_is_some() -> None:
    """It is never more than the machine has."""
    available = available_memory()
    assert available is not None
    assert 0 < available <= psutil.virtual_memory().total
