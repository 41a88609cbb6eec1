"""Looking at a checkout runs nothing of it, ends at once when told to, and leaves nobody behind."""

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from nova_async.attempt.checkout import look_at_checkout
from nova_async.attempt.git import Git
from tests.children import is_alive

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


def git(folder: Path, *words: str) -> str:
    """Run git as the owner of the checkout does, and return what it prints."""
    who = ("-c", "user.name=t", "-c", "user.email=t@t", "-c", "protocol.file.allow=always")
    command = ["git", "-C", str(folder), *who, *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a checkout with a commit, a changed file, a new one and a submodule."""
    inner, outer = tmp_path / "inner", tmp_path / "outer"
    for folder in (inner, outer):
        folder.mkdir()
        git(folder, "init", "-q")
        (folder / "a.txt").write_text("one\n")
        (folder / ".gitattributes").write_text(
            "*.txt filter=spy diff=spy\n*.md filter=spied.process\n*.c filter=worktree\n"
        )
        (folder / "b.md").write_text("one\n")
        (folder / "c.c").write_text("one\n")
        git(folder, "add", ".")
        git(folder, "commit", "-q", "-m", "one")
    git(outer, "submodule", "add", "-q", str(inner), "sub")
    git(outer, "commit", "-q", "-m", "sub")
    for file in (outer / "a.txt", outer / "b.md", outer / "c.c", outer / "sub/a.txt"):
        file.write_text("two\n")  # as long as before: whether it differs, only its content tells
    (outer / "new").touch()
    return outer


def bait(checkout: Path, spy: Path) -> None:
    """Configure everything in the checkout and its submodule that git could run while it is looked at."""
    spy.write_text(f'#!/bin/sh\necho "$0 $*" >> {spy}.seen\ncat\n')
    spy.chmod(0o755)
    (spy.parent / "hooks").mkdir()
    for hook in ("post-index-change", "reference-transaction", "fsmonitor-watchman", "pre-auto-gc"):
        shutil.copy(spy, spy.parent / "hooks" / hook)
    included = spy.parent / "included"
    included.write_text(f'[filter "spy"]\n\tclean = {spy} included\n\trequired = true\n')
    settings = {
        "core.fsmonitor": str(spy), "core.hooksPath": str(spy.parent / "hooks"), "core.pager": str(spy),
        "core.editor": str(spy), "core.sshCommand": str(spy), "core.askPass": str(spy), "core.gitProxy": str(spy),
        "core.alternateRefsCommand": str(spy), "credential.helper": str(spy), "pager.status": "true",
        "diff.external": str(spy), "diff.spy.command": str(spy), "diff.spy.textconv": str(spy),
        "filter.spied.process.process": f"{spy} process", "filter.spied.process.clean": f"{spy} clean",
        "filter.spied.process.required": "true", "filter.spy.smudge": str(spy), "include.path": str(included),
        "gpg.program": str(spy), "log.showSignature": "true", "status.submoduleSummary": "true",
        "alias.status": f"!{spy}", "alias.diff-tree": f"!{spy}", "extensions.worktreeConfig": "true",
        "protocol.ext.allow": "always", "remote.origin.url": f"ext::{spy}", "remote.origin.promisor": "true",
        "remote.origin.uploadpack": str(spy), "extensions.partialClone": "origin",
    }  # fmt: skip
    for place in (checkout, checkout / "sub"):
        for name, value in settings.items():
            git(place, "config", name, value)
        git(place, "config", "--worktree", "filter.worktree.clean", str(spy))


def test_nothing_that_a_checkout_configures_is_run(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No filter, hook, monitor, pager, diff program or helper, also of its submodules; what changed is still told."""
    spy, configuration = tmp_path / "spy", checkout / ".git/config"
    harmless = configuration.read_text()
    bait(checkout, spy)
    baited = configuration.read_text()
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", str(spy))
    monkeypatch.setenv("GIT_PAGER", str(spy))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "inner/.git"))  # as in a hook of another checkout
    before = look_at_checkout(Git(checkout))
    monkeypatch.delenv("GIT_DIR")
    assert before is not None
    assert set(before.dirty) == {"a.txt", "b.md", "c.c", "new"}
    configuration.write_text(harmless)
    git(checkout, "commit", "-q", "-m", "two", "a.txt")
    configuration.write_text(baited)
    after = look_at_checkout(Git(checkout))
    assert after is not None
    assert "a.txt" in after.files_changed_since(before, Git(checkout))
    assert not (tmp_path / "spy.seen").exists(), (tmp_path / "spy.seen").read_text()


def test_a_missing_object_is_not_fetched(checkout: Path, tmp_path: Path) -> None:
    """In a partial clone git fetches what it misses, by a program of the checkout's choice: not for us."""
    before = look_at_checkout(Git(checkout))
    tree = git(checkout, "rev-parse", "HEAD^{tree}")
    git(checkout, "commit", "-q", "-a", "-m", "two")
    bait(checkout, tmp_path / "spy")
    git(checkout, "config", "core.repositoryFormatVersion", "1")
    (checkout / ".git/objects" / tree[:2] / tree[2:]).unlink()
    after = look_at_checkout(Git(checkout))
    assert before is not None
    assert after is not None
    assert after.files_changed_since(before, Git(checkout)) == ("a.txt", "b.md", "c.c")
    assert not (tmp_path / "spy.seen").exists(), (tmp_path / "spy.seen").read_text()


def test_a_filter_of_the_users_own_is_left_alone(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without git-lfs, which is configured for the user, each of its files would look changed."""
    configuration = tmp_path / "gitconfig"
    configuration.write_text('[filter "spy"]\n\tclean = sed s/two/one/\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(configuration))
    found = look_at_checkout(Git(checkout))
    assert found is not None
    assert set(found.dirty) == {"b.md", "c.c", "new"}


def slow_git(folder: Path) -> dict[str, str]:
    """Return an environment in which git is a program that starts another and hangs."""
    (folder / "bin").mkdir()
    script = folder / "bin/git"
    script.write_text(
        f"#!/bin/sh\nsleep 60 & echo $! > {folder}/started.tmp; mv {folder}/started.tmp {folder}/started; wait\n"
    )
    script.chmod(0o755)
    return {"PATH": f"{folder}/bin:{os.environ['PATH']}"}


def started(folder: Path) -> int:
    """Return the pid of what git has started, once it has."""
    assert happens(lambda: (folder / "started").exists())
    return int((folder / "started").read_text())


def happens(what: Callable[[], bool]) -> bool:
    """Wait until something is so, for ten seconds at most."""
    deadline = time.monotonic() + 10
    while not what() and time.monotonic() < deadline:
        os.sched_yield()
    return what()


def test_a_cancelled_look_ends_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With whatever git has started, which would keep its output open for a minute."""
    monkeypatch.setenv("PATH", slow_git(tmp_path)["PATH"])
    look = Git(tmp_path)
    asking = threading.Thread(target=look.ask, args=("status",))
    asking.start()
    pid = started(tmp_path)
    look.cancel()
    asking.join(5)
    assert not asking.is_alive()
    assert look.ask("status") is None
    assert happens(lambda: not is_alive(pid))


def test_it_dies_with_us(tmp_path: Path) -> None:
    """A supervisor that is killed leaves neither git nor what git has started."""
    script = (
        "from pathlib import Path; from nova_async.attempt.git import Git\n"
        "from nova_async.process import orphan_guard; orphan_guard.ensure()\n"
        f"Git(Path({str(tmp_path)!r})).ask('status')"
    )
    environment = {**os.environ, **slow_git(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", script], env=environment) as supervisor:
        pid = started(tmp_path)
        supervisor.kill()
    assert happens(lambda: not is_alive(pid))
