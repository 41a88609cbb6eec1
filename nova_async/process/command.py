"""Finding the program of a command line, and refusing what the system would refuse, before anything is created."""

import errno
import os
import stat
from collections.abc import Mapping, Sequence, Set
from typing import Any

from nova_async._core.arguments import told

__all__ = ["current_folder", "environment_of", "resolve", "words_of"]

_environment: tuple[dict[bytes, bytes], dict[str, str]] = {}, {}  # ours as it was last seen, encoded and decoded


def words_of(command: Any) -> list[str]:
    """Return the words of a command; each may be a string, bytes or a path, as in ``subprocess``.

    Raises ``TypeError`` for anything else.
    """
    if isinstance(command, str | bytes):
        raise TypeError(f"command must be a list of strings, not {told(command)} (shlex.split() can split it)")
    if isinstance(command, Mapping | Set) or not hasattr(command, "__iter__"):  # a set has no order
        raise TypeError(f"command must be a list of strings, not {told(command)}")
    words = list(command)
    for place, word in enumerate(words, 1):
        if not isinstance(word, str | bytes | os.PathLike):
            raise TypeError(f"command must be a list of strings; word {place} is {told(word)}")
    return [os.fsdecode(word) for word in words]


def environment_of(env: Any) -> dict[str, str]:
    """Return a copy of an environment; names and values may be strings, bytes or paths, as in ``subprocess``.

    Raises ``TypeError`` for anything else.
    """
    if not isinstance(env, Mapping):
        raise TypeError(f"env must be a dict such as {{**os.environ, 'NAME': 'value'}}, not {told(env)}")
    copy = own_environment() if env is os.environ else dict(env)
    if {*map(type, copy), *map(type, copy.values())} <= {str}:
        return copy
    for name, value in copy.items():
        if not isinstance(name, str | bytes | os.PathLike):
            raise TypeError(f"env: the name {told(name)} must be a string")
        if not isinstance(value, str | bytes | os.PathLike):
            raise TypeError(f"env: {told(name)} is {told(value)}; write a string")
    return {os.fsdecode(name): os.fsdecode(value) for name, value in copy.items()}


def own_environment() -> dict[str, str]:
    """Return a copy of our environment.

    ``os.environ`` decodes each name and value again at each look, which takes longer than all else before a start. What
    it holds tells in no time whether anything has changed since the last one.
    """
    global _environment
    held: dict[bytes, bytes] | None = getattr(os.environ, "_data", None)  # so since Python 3.1, though private
    if held is None:
        return dict(os.environ)
    encoded, decoded = _environment
    if encoded != held:
        encoded = dict(held)
        decoded = {os.fsdecode(name): os.fsdecode(value) for name, value in encoded.items()}
        _environment = encoded, decoded
    return dict(decoded)


def resolve(command: Sequence[str], *, cwd: str | os.PathLike[str] | None = None, env: Mapping[str, str]) -> list[str]:
    """Return the command with the absolute path of its program in first place.

    The program is looked up as the child would: in the ``PATH`` of ``env``; relative paths, including those in
    ``PATH``, start at ``cwd``. Only what cannot be seen beforehand is left to the system: a file that is not a program,
    or whose interpreter is missing.

    Raises ``TypeError`` as ``words_of`` does, ``ValueError`` for an empty command, a NUL or an invalid variable name,
    and the system's own error, with the name in question (``FileNotFoundError``, ``NotADirectoryError``,
    ``PermissionError``).
    """
    words = words_of(command)
    if not words:
        raise ValueError("the command is empty")
    place = "" if cwd is None else os.fsdecode(cwd)
    if "\0" in "".join([*words, place, *env, *env.values()]):
        raise ValueError("embedded null byte in the command, its environment or its directory")
    if "" in env or "=" in "".join(env):
        raise ValueError('invalid environment: a variable\'s name is empty or contains "="')
    if cwd is not None:
        _check_directory(place)
    return [_find_program(words[0], os.path.join(current_folder(), place), env), *words[1:]]  # noqa: PTH118


def current_folder() -> str:
    """Return the current folder; empty if it was deleted, which does not matter to absolute paths."""
    try:
        return os.getcwd()  # noqa: PTH109 - a text, to be joined
    except FileNotFoundError:
        return ""


def _check_directory(path: str) -> None:
    if not stat.S_ISDIR(os.stat(path).st_mode):  # noqa: PTH116 (a Path would normalise the name in the error)
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
    if not os.access(path, os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)


def _find_program(name: str, place: str, env: Mapping[str, str]) -> str:
    """Try the places in order, as execvp does; a refusal is reported only if no later place has the program."""
    if "/" in name:
        candidates = [os.path.join(place, name)]  # noqa: PTH118 (".." after a symbolic link has to stay)
    elif name:
        candidates = [os.path.join(place, folder, name) for folder in os.get_exec_path(env)]  # noqa: PTH118
    else:
        candidates = []
    problem = errno.ENOENT
    for candidate in candidates:
        found = _what_exec_says(candidate)
        if not found:
            return candidate
        # A folder of PATH that we may not search (that of a user who became another one) has no program for us.
        if "/" in name or (found not in (errno.ENOENT, errno.ENOTDIR) and os.path.exists(candidate)):  # noqa: PTH110
            problem = found
    raise OSError(problem, os.strerror(problem), name)


def _what_exec_says(path: str) -> int:
    """Return the error number that starting this file would give; 0 if none can be seen beforehand."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 (see above)
    except OSError as error:
        return error.errno or errno.ENOENT
    return 0 if stat.S_ISREG(mode) and os.access(path, os.X_OK) else errno.EACCES
