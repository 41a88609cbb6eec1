"""The guards of the tests: each kind of leak is found, each signal to a stranger refused, and nobody else is blamed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import leak_guard

ROOT = Path(__file__).resolve().parents[1]
MISBEHAVING = ROOT / "tests" / "programs" / "misbehaving.py"
TESTS = re.findall(r"^(?:async )?def (test_\w+)", MISBEHAVING.read_text(), flags=re.M)

LEAKS = {
    "test_leaves_a_task": "task <Task",
    "test_leaves_a_thread": "thread forgotten",
    "test_leaves_a_descriptor": "descriptor N: pipe:",
    "test_leaves_a_pidfd": "descriptor N: anon_inode:",
    "test_leaves_a_child": "child N: sleep 61",
    "test_leaves_a_zombie": "child N: (has ended",
    "test_leaves_a_grandchild": "process N, no child any more: sleep 62",
    "test_leaves_a_family": "process N, no child any more: sleep 63",
}
REFUSED = [name for name in TESTS if name.startswith("test_signals_")]

pytestmark = pytest.mark.skipif(not leak_guard.CAN_LOOK, reason="the guards need /proc")


@pytest.fixture(scope="module")
def told() -> str:
    """Return what a run of the misbehaving tests says: in a session apart, from a script that ignores all it can."""
    order = [f"{MISBEHAVING}::{name}" for name in TESTS]
    options = ["-n", "0", "-p", "no:randomly", "-p", "no:cacheprovider", "-rA", "--tb=line"]
    script = 'trap "" INT HUP TERM QUIT; exec "$@"'
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as stranger:
        environment = {**os.environ, "STRANGER": str(stranger.pid), "COLUMNS": "1000", "NOVA_TEST_PATIENCE": "0.3"}
        done = subprocess.run(
            ["sh", "-c", script, "sh", sys.executable, "-m", "pytest", *options, *order],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            start_new_session=True,  # were there no guard, nothing of ours is hit
        )
        assert stranger.poll() is None, "the stranger was hit"
        stranger.kill()
    return re.sub(r"\b\d+\b(?=[:,])", "N", done.stdout) + f"the stranger is {stranger.pid}.\n"


@pytest.mark.parametrize("test", LEAKS)
def test_each_kind_of_leak_is_found(test: str, told: str) -> None:
    """The test itself passes, and its end is an error that names what was left, once."""
    assert f"PASSED tests/programs/misbehaving.py::{test}\n" in told
    errors = [line for line in told.splitlines() if line.startswith(f"ERROR tests/programs/misbehaving.py::{test} ")]
    assert len(errors) == 1
    assert "left behind: [" in errors[0]
    assert [leak for leak in LEAKS.values() if leak in errors[0]] == [LEAKS[test]]


@pytest.mark.parametrize("test", REFUSED)
def test_each_signal_to_a_stranger_is_refused(test: str, told: str) -> None:
    """The test fails before anybody is hit."""
    assert re.search(rf"^FAILED tests/programs/misbehaving\.py::{test} - Failed: refused ", told, flags=re.M)


def test_a_refusal_that_is_caught_is_told_at_the_end(told: str) -> None:
    """Nobody can take a refusal for harmless."""
    test = "test_catches_the_refusal"
    assert re.search(rf"^FAILED \S+::{test} - .*refused: \['os\.kill\(N, 15\)", told, flags=re.M)


def test_nobody_else_is_blamed(told: str) -> None:
    """What one test has left is not there any more when the next one ends, and good manners are no fault."""
    assert set(re.findall(r"^ERROR \S+::(\w+)", told, flags=re.M)) == {*LEAKS}
    assert set(re.findall(r"^FAILED \S+::(\w+)", told, flags=re.M)) == {*REFUSED, "test_catches_the_refusal"}
    assert "test_behaves" in TESTS


def test_what_was_left_has_been_ended(told: str) -> None:
    """No process of the misbehaving tests is alive."""
    stranger = re.search(r"the stranger is (\d+)\.", told)
    assert stranger is not None
    assert [place.name for place in Path("/proc").iterdir() if knows(place, stranger[1])] == []


def knows(place: Path, stranger: str) -> bool:
    """Tell whether a process has inherited the stranger's pid from the misbehaving tests."""
    try:
        return f"\0STRANGER={stranger}\0".encode() in (place / "environ").read_bytes()
    except OSError:
        return False


def test_a_look_that_finds_nothing_is_cheap(what_lasts: leak_guard.LeakGuard, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a test that has left nothing and started nobody, no garbage is collected and no process looked at."""
    for costly in ("gc", "_end_survivors"):
        monkeypatch.setattr(leak_guard, costly, None)
    assert what_lasts.after(what_lasts.before()) == []
