"""What is wrong with a command is said before anything is created, in the system's own words."""

import errno
import os
from pathlib import Path

import pytest

from nova_async.process.command import environment_of, resolve
from nova_async.process.spawn import spawn

from .watching import running, text_until

ENV = {"PATH": os.environ["PATH"]}


def script(path: Path, mode: int = 0o755) -> Path:
    """Write a small program there."""
    path.write_text("#!/bin/sh\necho ready $0\n")
    path.chmod(mode)
    return path


def test_a_name_is_looked_for_in_the_childs_own_path(tmp_path: Path) -> None:
    """The PATH of the given environment counts, not ours; the first place that has a program wins."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    script(tmp_path / "a" / "tool", 0o644)
    found = script(tmp_path / "b" / "tool")
    env = {"PATH": f"{tmp_path / 'none'}:{tmp_path / 'a'}:{tmp_path / 'b'}"}
    assert resolve(["tool", "x"], cwd=None, env=env) == [str(found), "x"]


def test_a_relative_path_starts_at_the_childs_directory(tmp_path: Path) -> None:
    """Both a command with a slash and a relative place in PATH are relative to cwd."""
    script(tmp_path / "tool")
    assert resolve(["./tool"], cwd=tmp_path, env=ENV) == [f"{tmp_path}/./tool"]
    assert resolve(["tool"], cwd=tmp_path, env={"PATH": "."}) == [f"{tmp_path}/./tool"]


@pytest.mark.parametrize(
    ("command", "error", "number"),
    [
        (["no-such-program"], FileNotFoundError, errno.ENOENT),
        (["./no-such-program"], FileNotFoundError, errno.ENOENT),
        ([""], FileNotFoundError, errno.ENOENT),
        (["./plain"], PermissionError, errno.EACCES),
        (["plain"], PermissionError, errno.EACCES),
        (["./folder"], PermissionError, errno.EACCES),
        (["./plain/tool"], NotADirectoryError, errno.ENOTDIR),
    ],
)
def test_the_systems_own_errors(tmp_path: Path, command: list[str], error: type[OSError], number: int) -> None:
    """A missing or forbidden program gives the errno and the name that starting it would give."""
    script(tmp_path / "plain", 0o644)
    (tmp_path / "folder").mkdir()
    with pytest.raises(error) as caught:
        resolve(command, cwd=tmp_path, env={"PATH": str(tmp_path)})
    assert (caught.value.errno, caught.value.filename) == (number, command[0])


def test_a_bad_directory_is_named(tmp_path: Path) -> None:
    """A missing cwd, or one that is a file, is the error, not the program."""
    with pytest.raises(FileNotFoundError) as missing:
        resolve(["sh"], cwd=tmp_path / "none", env=ENV)
    assert missing.value.filename == str(tmp_path / "none")
    with pytest.raises(NotADirectoryError):
        resolve(["sh"], cwd=script(tmp_path / "file"), env=ENV)


@pytest.mark.parametrize(
    ("command", "env"),
    [
        ([], ENV),
        (["sh", "a\0b"], ENV),
        (["s\0h"], ENV),
        (["sh"], {**ENV, "A": "\0"}),
        (["sh"], {**ENV, "A\0": "b"}),
        (["sh"], {**ENV, "A=B": "c"}),
        (["sh"], {**ENV, "": "c"}),
    ],
)
def test_what_no_system_could_start(command: list[str], env: dict[str, str]) -> None:
    """An empty command, a NUL, or an impossible variable name is a ValueError."""
    with pytest.raises(ValueError, match=r"empty|null byte|no name"):
        resolve(command, cwd=None, env=env)


def test_one_text_is_not_a_command() -> None:
    """A text would be taken apart into letters."""
    with pytest.raises(TypeError, match="list of strings"):
        resolve("echo hello", cwd=None, env=ENV)


@pytest.mark.parametrize("command", [[], ["no-such-program"], ["./"], ["a\0"]])
async def test_a_refused_spawn_leaves_nothing(command: list[str]) -> None:
    """What resolve refuses, spawn refuses; the leak guard sees to the rest."""
    with pytest.raises((OSError, ValueError)):
        await spawn(command, env=ENV)


async def test_an_error_at_the_start_itself_leaves_nothing(tmp_path: Path) -> None:
    """A file that is no program, or whose interpreter is missing, shows only when it is started."""
    broken = script(tmp_path / "broken")
    broken.write_text("#!/no/such/interpreter\n")
    with pytest.raises(FileNotFoundError):
        await spawn([str(broken)], env=ENV)
    broken.write_bytes(b"\x7fELF nonsense")
    with pytest.raises(OSError, match="Exec format error"):
        await spawn([str(broken)], env=ENV)


async def test_a_program_sees_its_name_as_it_was_written() -> None:
    """The absolute path is for the system only: argv[0] stays what the user wrote."""
    async with running("sh", "-c", "tr '\\0' ' ' < /proc/$$/cmdline") as child:
        assert (await text_until(child, " ")).startswith("sh ")


async def test_stdin_may_not_be_an_idle_pipe() -> None:
    """Asyncio's PIPE would be open for ever, and agents wait for its end."""
    with pytest.raises(ValueError, match="stdin"):
        await spawn(["cat"], env=ENV, stdin=-1)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may search every folder")
def test_a_folder_of_path_that_may_not_be_searched_has_nothing(tmp_path: Path) -> None:
    """What is in no other place is not found, as a shell says; that it is not executable would be a guess."""
    closed, tool = tmp_path / "closed", tmp_path / "tool"
    closed.mkdir(mode=0o000)
    env = {"PATH": f"{closed}:{tmp_path}"}
    with pytest.raises(FileNotFoundError):
        resolve(["tool"], env=env)
    tool.write_text("")
    with pytest.raises(PermissionError):
        resolve(["tool"], env=env)
    tool.chmod(0o755)
    assert resolve(["tool"], env=env) == [str(tool)]


def test_our_own_environment_is_what_it_is_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that is set, changed or taken away is seen at once; who gets the environment may alter it."""
    assert environment_of(os.environ) == dict(os.environ)
    for value in ("1", "2", "caf\udce9"):
        monkeypatch.setenv("NEW", value)
        environment_of(os.environ)["NEW"] = "altered"
        assert environment_of(os.environ) == dict(os.environ)
    monkeypatch.delenv("NEW")
    assert environment_of(os.environ) == dict(os.environ)
