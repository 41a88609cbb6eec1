"""The supervisor is killed, again and again: every task completes, none runs twice at once, nobody is left."""

import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

TASKS = 60
KILLS = 30

NOVA = [sys.executable, "-m", "nova_async", "run", "--plain", "--max-workers", "3"]

# A lock that the kernel drops with its holder tells whether another attempt of the task is alive at this moment.
SCRIPT = (
    "exec 9>> locks/$NOVA_TASK_ID; flock -n 9 || echo $NOVA_TASK_ID >> twice; echo $$ >> pids; "
    "echo attempt $NOVA_ATTEMPT; sleep 0.2; echo $NOVA_TASK_ID >> done"
)


def write_plan(folder: Path) -> None:
    """Write a plan of short tasks, a third of which wait for others."""
    script = SCRIPT.replace("|", "\\|")
    waits = {number: f"T{number - 7}" for number in range(9, TASKS, 3)}
    rows = [f"| T{number} | {script} | {waits.get(number, '-')} |" for number in range(TASKS)]
    front = "+++\ncommand = ['bash', '-c', '{prompt}']\n+++\n\n| ID | What | Deps |\n|---|---|---|\n"
    (folder / "CASCADE.md").write_text(front + "\n".join(rows) + "\n")
    (folder / "locks").mkdir()


def test_thirty_kills(tmp_path: Path) -> None:
    """Sixty tasks, thirty kill -9 at random moments: each completes once, and the logs of all attempts are there."""
    write_plan(tmp_path)
    chance = random.Random(20)
    kills = 0
    while True:
        run = subprocess.Popen(NOVA, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            # The moment of the kill is what is tested; the first part of it is the interpreter's start.
            code = run.wait(timeout=None if kills == KILLS else 0.25 + chance.random() * 0.3)
        except subprocess.TimeoutExpired:
            run.send_signal(signal.SIGKILL)
            run.wait()
            kills += 1
        else:
            assert code == 0
            break
    book = sqlite3.connect(tmp_path / ".nova/journal.db")
    ends = book.execute("select task_id, number, outcome from attempts order by task_id, number").fetchall()
    book.close()
    outcomes: dict[str, list[str]] = {}
    for task_id, _, outcome in ends:
        outcomes.setdefault(task_id, []).append(outcome)
    assert len(outcomes) == TASKS
    for task_id, words in outcomes.items():
        assert words[-1] == "ok", task_id
        assert words[:-1] == ["lost"] * (len(words) - 1), "a task that had completed ran again"
    assert not (tmp_path / "twice").exists()
    assert kills == KILLS, "it was over before it could be killed so often: make it longer"
    for task_id, words in outcomes.items():
        logs = [tmp_path / f"logs/{task_id}.log", *(tmp_path / "logs").glob(f"{task_id}~*.log")]
        # An attempt that died before its process began has no log; one that was killed may not have spoken.
        assert len(logs) <= len(words)
        spoken = [path.read_text() for path in logs if path.stat().st_size]
        assert len(set(spoken)) == len(spoken)
        assert logs[0].read_text() == f"attempt {len(words)}\n"
    deadline = time.monotonic() + 5
    pids = {int(pid) for pid in (tmp_path / "pids").read_text().split()}
    while alive := [pid for pid in pids if is_ours(pid, tmp_path)]:
        assert time.monotonic() < deadline, f"left behind: {alive}"
        time.sleep(0.05)


def is_ours(pid: int, folder: Path) -> bool:
    """Tell whether a pid is (still) a process of this test."""
    try:
        return Path(f"/proc/{pid}/cwd").readlink() == folder
    except OSError:
        return False
