"""The command that a text for a shell comes down to, where that is one simple command: its last one."""

import re
import shlex

from nova_async.agents.wrappers import without_assignments

__all__ = ["command_in_text", "command_of_shell"]

MAX_TEXT = 32 * 1024  # characters, some 30 ms; a longer one is a prompt with a few words before it
ENDS = frozenset({";", "&&", "||", "&", "\n"})  # between commands
# What begins a compound command: which of its parts prints what is more than the words say.
KEYWORDS = frozenset(("if", "for", "while", "until", "case", "select", "function", "{", "(", "[[", "!", "then", "do"))
PREFIXES = frozenset({"exec", "command", "builtin", "eval"})
INPUTS = frozenset({"<", "<&", "<<<", "<<"})
OUTPUTS = frozenset({">", ">>", ">&", ">|", "&>", "&>>"})
# A number that touches what follows it, as in "2>", is a descriptor; in "--max-turns 5 >" it is an argument. The lexer
# tells nothing of blanks, so such a number is marked, with a sign that no argument can hold.
DESCRIPTOR = re.compile(r"(?<![^\s;&|()])(\d{1,4}[<>])")
MARK = "\0"
VALUES = frozenset({"-o", "-O", "+o", "+O", "--rcfile", "--init-file"})  # options of a shell that take the next word


def command_of_shell(words: list[str]) -> list[str] | None:
    """Return the command in the words of a shell; None where it runs a script, or reads one."""
    at = 0
    while at < len(words) and words[at][:1] in ("-", "+") and len(words[at]) > 1:
        word = words[at]
        if word == "--command" or (word[0] == "-" and word[1] != "-" and "c" in word[1:]):
            return command_in_text(words[at + 1], words[at + 3 :]) if at + 1 < len(words) else None
        at += 2 if word in VALUES else 1
    return None


def command_in_text(text: str, arguments: list[str]) -> list[str] | None:
    """Return the last simple command of a text; None where its output is not what the text prints.

    ``arguments`` are what ``"$@"`` means in it.
    """
    if len(text) > MAX_TEXT:
        return None
    try:
        lexer = shlex.shlex(
            DESCRIPTOR.sub(rf"{MARK}\1", text.replace("\\\n", " ")), posix=True, punctuation_chars=";&|<>()\n"
        )
        lexer.whitespace, lexer.commenters, lexer.whitespace_split = " \t\r", "", True
        words = list(lexer)
    except ValueError:
        return None
    commands: list[list[str]] = [[]]
    for word in words:
        if (mark := word.strip("\n")) == "" or mark in ENDS:
            commands.append([])
        else:
            commands[-1].append(word)
    last = next((command for command in reversed(commands) if command), [])
    plain = _without_pipes(last)
    plain = None if plain is None else _without_redirections(plain)
    if plain is None or any(command[0] in KEYWORDS or _sends_the_rest_away(command) for command in commands if command):
        return None
    plain = without_assignments(plain)
    while plain and plain[0] in PREFIXES:
        plain = without_assignments(plain[1:])
    return [given for word in plain for given in (arguments if word == "$@" else [word.replace(MARK, "")])]


def _sends_the_rest_away(words: list[str]) -> bool:
    """Tell whether a command gives all those after it another output: ``exec > log``."""
    return words[0] == "exec" and _without_redirections(words) is None


def _without_pipes(words: list[str]) -> list[str] | None:
    if "|" not in words:
        return None if "|&" in words or "(" in words or ")" in words else words
    at = words.index("|")
    copied = words[at + 1 :]
    # What goes through tee comes out as it was, unless that goes elsewhere.
    comes_out = copied[:1] == ["tee"] and "|" not in copied and _without_redirections(copied) is not None
    return words[:at] if comes_out else None


def _without_redirections(words: list[str]) -> list[str] | None:
    kept: list[str] = []
    at = 0
    while at < len(words):
        word = words[at]
        if word in INPUTS or word in OUTPUTS:
            target = words[at + 1] if at + 1 < len(words) else ""
            descriptor = kept.pop()[1:] if kept and kept[-1][:1] == MARK else ""
            if word in OUTPUTS and descriptor in ("", "1") and not (word == ">&" and target == "1"):
                return None  # its output goes elsewhere
            at += 2
            continue
        kept.append(word)
        at += 1
    return kept
