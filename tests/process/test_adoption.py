"""As a subreaper, nova finds daemons that nothing else would find, and reaps them and nobody else (G54)."""

import json
import os
import select
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nova_async.process import adoption
from tests.cli.command import NOVA
from tests.ordinary_user import as_ordinary_user, ordinary_environment, ordinary_folder, ordinary_python

from .watching import DEADLINE, PROGRAMS, all_dead_within, is_alive, program

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux, which has subreapers")

WAYS = ["clears", "overwrites", "undumpable"]


def answers_of(*words: str) -> list[dict[str, list[object]]]:
    """Run the adopter to its end, and return what it says."""
    done = subprocess.run(program("adopter", *words), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_no_exit_code_is_stolen_and_no_zombie_stays() -> None:
    """Commands that leave orphans, several at a time: each code is the command's own, and all orphans are reaped."""
    [codes, rest] = answers_of("storm", "120")
    assert codes == {"codes": [number % 100 for number in range(120)]}
    assert rest["children"] in ([], ["nova-guard"])


def test_an_orphan_belongs_to_the_last_family_that_it_may_be_of() -> None:
    """While both commands run it may serve either; the first to end must not end it, and the last one must."""
    [said, rest] = answers_of("two")
    assert said == {
        "while both run": [False, False],
        "one has ended": [False],
        "it lives": [True],
        "both have ended": [True, True],
        "it still lives": [False],
    }
    assert rest["children"] in ([], ["nova-guard"])


@pytest.mark.parametrize("user", ["ourselves", "ordinary"])
def test_a_daemon_that_hides_is_ended_and_told(user: str, tmp_path: Path) -> None:
    """It has left its session and its parent, and its environment says nothing, or we may not read it."""
    python = ordinary_python() if user == "ordinary" else sys.executable
    folder = ordinary_folder(tmp_path) if user == "ordinary" else tmp_path
    environment = ordinary_environment(folder) if user == "ordinary" else dict(os.environ)
    script = "; ".join(f"{python} {PROGRAMS / 'daemon.py'} {way}" for way in WAYS)
    nova = [python, "-m", "nova_async", "exec", "--json", "--", "sh", "-c", script]
    done = subprocess.run(
        as_ordinary_user(*nova) if user == "ordinary" else nova,
        cwd=folder, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    pids = [int(line.split()[1]) for line in done.stdout.splitlines()]
    assert len(pids) == len(WAYS)
    assert json.loads(done.stderr)["leftovers"] == len(WAYS)
    assert not any(map(is_alive, pids))


def test_the_guard_knows_who_was_adopted(tmp_path: Path) -> None:
    """After kill -9 of nova its orphans are adopted by others, and have nothing that tells whose they were."""
    nova = [*NOVA, "exec", "--", *program("daemon", "clears", "stay")]
    with subprocess.Popen(nova, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        daemon = int(process.stdout.readline().split()[1])
        process.kill()
        assert all_dead_within([daemon], 2.0)


def test_the_guard_knows_who_was_adopted_before_a_silence(tmp_path: Path) -> None:
    """The line that tells of a daemon may come right after another, too soon for a second look, and be the last one."""
    nova = [*NOVA, "exec", "--", "sh", "-c", 'echo begin; exec "$@"', "sh", *program("daemon", "clears", "stay")]
    with subprocess.Popen(nova, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begin\n"
        daemon = int(process.stdout.readline().split()[1])
        assert select.select([process.stdout], [], [], 2 * adoption.SELDOM) == ([], [], [])  # the silence
        process.kill()
        assert all_dead_within([daemon], 2.0)


def test_a_look_that_is_asked_for_too_soon_is_put_off() -> None:
    """It is due a second after the last one, and stands for all that are asked for until then."""
    looks: list[float] = []
    with adoption.looking_after(looks.append):
        for _ in range(5):
            adoption.look_again()
    assert looks[0] == 0
    assert looks[1:] == [pytest.approx(adoption.SELDOM, abs=0.5)]


def test_leftovers_that_may_stay_stay(tmp_path: Path) -> None:
    """Also those that only adoption finds."""
    nova = [*NOVA, "exec", "--leftovers", "leave", "--json", "--", *program("daemon", "reads")]
    with subprocess.Popen(nova, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        daemon = int(process.stdout.read().split()[1])
        process.stdout.close()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert is_alive(daemon)
    assert all_dead_within([daemon], DEADLINE)  # it ends with its input, which this test held


def test_a_service_that_opts_out_stays(tmp_path: Path) -> None:
    """As documented: without the family's variable, in a session of its own, and with the rest of the environment."""
    script = "exec 3<&0; (env -u NOVA_WORKER setsid sh -c 'echo $$; exec cat <&3' &)"
    nova = [*NOVA, "exec", "-q", "--", "sh", "-c", script]
    with subprocess.Popen(nova, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        service = int(process.stdout.read())
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert is_alive(service)
    assert all_dead_within([service], DEADLINE)  # it ends with its input, which this test held


def test_a_child_that_nova_was_born_with_is_left_alone(tmp_path: Path) -> None:
    """A shell that becomes nova hands its background jobs on; they are none of its business."""
    shell = 'exec 3<&0; setsid env -i cat <&3 >/dev/null 2>&1 & echo $!; exec "$@" <&3'
    command = ["sh", "-c", shell, "sh", *NOVA, "exec", "-q", "--no-stdin", "--", "true"]
    with subprocess.Popen(command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        stranger = int(process.stdout.read().split()[0])
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert is_alive(stranger)
    assert process.returncode == 0
    assert all_dead_within([stranger], DEADLINE)


def test_nova_as_pid_1_leaves_no_zombie(tmp_path: Path) -> None:
    """In a container it adopts whatever the commands leave, and reaps it."""
    namespace = [shutil.which("unshare") or "unshare", "--pid", "--fork", "--mount-proc"]
    try:
        subprocess.run([*namespace, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs root and unshare, to be PID 1")
    leaves = "for each in 1 2 3 4 5 6 7 8; do setsid sh -c 'sleep 0 & exit' & wait; done; "
    # The kernel reports an orphan's death to nova at some moment of its own; a second is far more than nova needs.
    count = "for try in 1 2 3 4 5 6 7 8 9 10; do z=$(grep -cs '^State:.Z' /proc/[0-9]*/status | grep -c ':1$'); "
    count += "[ $z = 0 ] && break; sleep .1; done; echo zombies $z"
    nova = [*NOVA, "exec", "-q", "--", "sh", "-c", leaves + count]
    done = subprocess.run([*namespace, *nova], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stdout == "zombies 0\n", done.stderr


async def test_the_library_adopts_nobody() -> None:
    """A host program stays what it is: being a subreaper is for nova alone."""
    assert not adoption.begin.__globals__["_active"]
    adoption.reap()
    assert adoption.orphans(0) == []
