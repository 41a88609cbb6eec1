"""What only a shell would read in a command that no shell sees, and what a shell must not see."""

import re
from collections.abc import Sequence

from nova_async.cascade.diagnostics import shown

__all__ = ["needs_a_shell", "refuse_open_placeholders"]

SHELLS = frozenset({"sh", "bash", "zsh", "dash", "ksh", "ash", "fish"})
BEFORE_A_SHELL = frozenset({"env", "exec", "nice", "nohup", "time", "timeout", "sudo", "command"})
# An address with & and a version with >= are fine as they stand; redirections begin a word.
UNQUOTED = re.compile(r"&&|\|\||[|;]|&(?=\s|$)|(?<!\S)(?:\d|&)?[<>]+|\$\(|`|\$(?:\{\w+\}|[A-Za-z_]\w*)")
QUOTED = re.compile(r"\$\(|`|\$(?:\{\w+\}|[A-Za-z_]\w*)")  # what a shell also reads between double quotes
ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
DANGEROUS = re.compile(r"\{(prompt|name|model|cwd|session_id|error)\}")  # what a plan or an agent says
SCRIPT_FLAG = re.compile(r"-[a-z]*c")
REMOTE = frozenset({"ssh", "rsh", "mosh", "autossh"})  # they join their words, for a shell at the other end
# Which option of other programs brings code; a number at the end of the program's name is its version.
CODE_FLAGS = {
    "python": ("-c",), "pypy": ("-c",), "su": ("-c", "--command"), "runuser": ("-c", "--command"), "script": ("-c",),
    "node": ("-e", "--eval", "-p", "--print"), "deno": ("eval",), "bun": ("-e", "--eval"), "perl": ("-e", "-E"),
    "ruby": ("-e",), "php": ("-r",), "lua": ("-e",),
    "osascript": ("-e",), "pwsh": ("-c", "-Command"), "powershell": ("-c", "-Command"),
}  # fmt: skip
VERSION = re.compile(r"[0-9.]+$")


def needs_a_shell(text: str) -> str | None:
    """Say what only a shell would act upon in a command that is split into words, and what to write; None if nothing.

    A command that begins with a shell is for that shell.
    """
    found = _shell_word_in(text)
    if found is None:
        return None
    instead = "…" if len(text) > 60 or set(text) & set("'\"$`\\") else text
    return f"{shown(text)} is not run by a shell, so '{found}' would be a plain argument; write sh -c \"{instead}\""


def _shell_word_in(text: str) -> str | None:
    """Find what a shell would act upon in a command that is only split into words; None if there is nothing."""
    words = text.split()
    first = next((word for word in words if word not in BEFORE_A_SHELL), "")
    if first.rpartition("/")[2] in SHELLS:
        return None
    if assignment := ASSIGNMENT.match(words[0] if words else ""):
        return assignment[0]
    quote, place = "", 0
    while place < len(text):
        char = text[place]
        if char == "\\" and quote != "'":
            place += 2
            continue
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        pattern = None if quote == "'" else QUOTED if quote else UNQUOTED
        found = pattern.match(text, place) if pattern else None
        if found:
            return found[0]
        place += 1
    return None


def refuse_open_placeholders(words: Sequence[str]) -> None:
    """Refuse a placeholder inside of a script: whatever runs that would run what a prompt says.

    Raises ``ValueError`` that says how to hand it over instead.
    """
    refuse_in_code(words)
    for place, word in enumerate(words):
        if word.rpartition("/")[2] in REMOTE and (found := DANGEROUS.search(" ".join(words[place + 1 :]))):
            raise ValueError(
                f"{shown(word)}: the shell on the other machine would run what {found[0]} says; "
                "leave it out: the prompt is then on standard input"
            )
    for place, word in enumerate(words[:-1]):
        if word.rpartition("/")[2] not in SHELLS:
            continue
        flag = next((index for index in range(place + 1, len(words)) if not words[index].startswith(("-", "+"))), 0)
        if not flag or not any(SCRIPT_FLAG.fullmatch(option) for option in words[place + 1 : flag]):
            continue
        found = DANGEROUS.search(words[flag])
        if found and found[0] != words[flag]:  # alone it is the script itself, and somebody wants that
            instead = (
                '"$NOVA_PROMPT" instead' if found[1] == "prompt" else f'"$1" there, and sh {found[0]} after the script'
            )
            raise ValueError(f"{shown(words[flag])}: the shell would run what {found[0]} says; write {instead}")


def refuse_in_code(words: Sequence[str]) -> None:
    """Refuse a placeholder within the code of an interpreter; alone it is the code, and somebody wants that.

    Raises ``ValueError``.
    """
    flags: tuple[str, ...] = ()
    for place, word in enumerate(words):
        flags = CODE_FLAGS.get(VERSION.sub("", word.rpartition("/")[2]), flags)
        before = words[place - 1] if place else ""
        code = word if before in flags else word.partition("=")[2] if word.partition("=")[0] in flags else ""
        if (found := DANGEROUS.search(code)) and found[0] != code:
            raise ValueError(f"{shown(word)}: this code would contain what {found[0]} says; read $NOVA_PROMPT there")
