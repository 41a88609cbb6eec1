"""Who is notified of a run: commands, addresses on the web and the terminal, as plans and command lines name them."""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, final

from nova_async.cascade import values
from nova_async.cascade.diagnostics import did_you_mean, shown
from nova_async.cascade.shell_words import needs_a_shell, refuse_open_placeholders
from nova_async.words import NoticeKind

__all__ = ["PLACEHOLDERS", "Address", "Bell", "Notify", "address_of", "filled", "parse_notify", "parse_receiver"]

NOBODY = ("none", "off")
PLACEHOLDERS = ("{title}", "{text}", "{notice}")
MOST = 32  # receivers: each notice is a process or a connection for each of them
KEYS = ("command", "url", "headers", "on")
VARIABLE = re.compile(r"\$\{([A-Za-z_]\w*)\}", re.ASCII)
ADDRESS = re.compile(r"(https?)://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::(\d{1,5}))?([/?][!-~]*)?", re.ASCII)
LOOPBACK = re.compile(r"localhost|127(?:\.\d{1,3}){3}|::1", re.ASCII)
HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", re.ASCII)
OURS = frozenset({"content-length", "content-type", "host", "connection", "transfer-encoding"})


class Bell(StrEnum):
    """What a terminal can do."""

    BELL = "bell"
    """It rings, or flashes."""
    OSC9 = "osc9"
    """It shows a notification of the desktop, if it is one that can: iTerm2, WezTerm, Ghostty, kitty."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Notify:
    """One who is notified: a command, an address, or the terminal."""

    command: tuple[str, ...] = ()
    """Already split, with placeholders."""
    url: str = field(default="", repr=False)
    """With ``${NAME}`` for variables; often it is a secret itself."""
    headers: Mapping[str, str] = field(default_factory=dict, hash=False, repr=False)
    bell: Bell | None = None
    on: frozenset[NoticeKind] = frozenset(NoticeKind)
    """Of what."""

    @property
    def name(self) -> str:
        """What it is called, without what may be a secret: the program, the host, or the terminal."""
        if self.url.startswith("${"):
            return self.url.partition("}")[0] + "}"
        host = re.split(r"[/?]", self.url.partition("://")[2], maxsplit=1)[0]
        return f"`{self.command[0]}`" if self.command else str(self.bell) if self.bell else host

    def __str__(self) -> str:
        called = shlex.join(self.command) if self.command else self.name
        chosen = [str(kind) for kind in NoticeKind if kind in self.on]
        return called if len(chosen) == len(NoticeKind) else f"{called} (on {', '.join(chosen)})"


@final
class Address(NamedTuple):
    """Where something is posted to."""

    is_encrypted: bool
    host: str
    port: int
    target: str
    """Path and query."""


def parse_notify(value: object) -> tuple[Notify, ...]:
    """Read the key ``notify``: a list of receivers, or one of them; ``none`` is nobody.

    Raises ``ValueError`` for anything else.
    """
    receivers = value if isinstance(value, list) else [value]
    if len(receivers) > MOST:
        raise ValueError(f"{len(receivers)} receivers are more than {MOST}: let one command tell the others")
    only = receivers[0] if len(receivers) == 1 else None
    if isinstance(only, str) and only.strip().casefold() in NOBODY:
        return ()
    return tuple(map(_receiver, receivers))


def _receiver(value: object) -> Notify:
    if isinstance(value, str):
        return parse_receiver(value)
    if not isinstance(value, dict):
        raise ValueError(
            f"{shown(str(value))} is neither a string nor a table: write {{command = [...]}} or {{url = ...}}"
        )
    if unknown := [key for key in value if key not in KEYS]:
        raise ValueError(f"{shown(str(unknown[0]))} is not one of {', '.join(KEYS)}{did_you_mean(unknown[0], KEYS)}")
    if ("command" in value) == ("url" in value):
        raise ValueError("a receiver has either a command or a url")
    if "headers" in value and "url" not in value:
        raise ValueError("headers belong to a url")
    on = _kinds(value["on"]) if "on" in value else frozenset(NoticeKind)
    if "url" not in value:
        return Notify(command=_command(value["command"]), on=on)
    if not isinstance(value["url"], str):
        raise ValueError(f"url: {shown(str(value['url']))} is not a string")
    return Notify(url=_url(value["url"]), headers=_headers(value.get("headers", {})), on=on)


def parse_receiver(text: str) -> Notify:
    """Read one receiver: ``bell``, ``osc9``, an address, or a command that no shell sees.

    Raises ``ValueError`` for what is none of these.
    """
    text = text.strip()
    if text in list(Bell):
        return Notify(bell=Bell(text))
    if "://" in text.partition(" ")[0] or text.startswith("${"):
        return Notify(url=_url(text))
    return Notify(command=_command(text))


def _command(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        if complaint := needs_a_shell(value):
            raise ValueError(complaint)
        words = values.parse_command(value)
    elif isinstance(value, list) and all(isinstance(word, str) for word in value):
        words = tuple(value)
    else:
        raise ValueError(f"command: {shown(str(value))} is not a list of strings")
    if not words or not words[0]:
        raise ValueError("command: no program given")
    _refuse_placeholders_in_scripts(words)
    return words


def _refuse_placeholders_in_scripts(words: Sequence[str]) -> None:
    """Refuse what would have a shell run the words of an agent."""
    stand_in = [re.sub("|".join(map(re.escape, PLACEHOLDERS)), "x{prompt}", word) for word in words]
    try:
        refuse_open_placeholders(stand_in)
    except ValueError:
        raise ValueError(
            f"{shown(' '.join(words))}: a shell or an interpreter would run what the placeholder says: "
            'use "$NOVA_TEXT" or "$NOVA_TITLE" there, or read the JSON on standard input'
        ) from None


def _url(text: str) -> str:
    if "${" not in text:
        address_of(text)
        return text
    left = VARIABLE.sub("x", text)
    if "${" in left:
        raise ValueError("url: a variable is written ${NAME}")
    if not text.startswith("${"):  # else the variable holds the host, and is looked at when the run begins
        if VARIABLE.search(text.partition("://")[2].partition("/")[0]):
            raise ValueError("url: a variable may stand for the whole address, or behind the host")
        address_of(left)
    return text


def address_of(text: str) -> Address:
    """Read an address: https, or http to this machine.

    Raises ``ValueError``, without the path, which may be a secret.
    """
    found = ADDRESS.fullmatch(text.strip())
    if found is None:
        raise ValueError("url: not an address (write https://host/path)")
    scheme, host, port = found[1], found[2].strip("[]"), found[3]
    if scheme == "http" and not LOOPBACK.fullmatch(host):
        raise ValueError(
            f"url: http://{found[2]} would be sent unencrypted: write https (http is for this machine only)"
        )
    number = int(port) if port else 443 if scheme == "https" else 80
    if not 0 < number < 65536:
        raise ValueError(f"url: {port} is not a port")
    target = found[4] or "/"
    return Address(scheme == "https", host, number, target if target.startswith("/") else f"/{target}")


def filled(text: str, variables: Mapping[str, str]) -> str:
    """Return a text with its variables in place.

    Raises ``ValueError`` for one that is not set, or that holds what no request can.
    """

    def value_of(found: re.Match[str]) -> str:
        value = variables.get(found[1], "").strip()
        if not value:
            raise ValueError(f"{found[1]} is not set")
        if not (value.isascii() and value.isprintable()):
            raise ValueError(f"{found[1]} contains characters that no address and no header can")
        return value

    return VARIABLE.sub(value_of, text)


def _headers(value: object) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise ValueError(f"headers: {shown(str(value))} is not a table of strings")
    for name, text in value.items():
        if not HEADER.fullmatch(name) or name.casefold() in OURS:
            raise ValueError(f"headers: {shown(name)} cannot be set")
        if not text.isascii() or not text.isprintable():
            raise ValueError(f"headers: the value of {shown(name)} contains characters that no header can")
    return dict(value)


def _kinds(value: Any) -> frozenset[NoticeKind]:
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
        raise ValueError(f"on: {shown(str(value))} is not a list of {', '.join(NoticeKind)}")
    for word in words:
        if word not in list(NoticeKind):
            raise ValueError(
                f"on: {shown(word)} is not one of {', '.join(NoticeKind)}{did_you_mean(word, list(NoticeKind))}"
            )
    return frozenset(map(NoticeKind, words))
