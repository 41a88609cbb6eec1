"""Who is notified, as plans and command lines name them."""

from typing import Any

import pytest

from nova_async.cascade import CascadeError, parse_cascade
from nova_async.cascade.notify import Address, Bell, Notify, address_of, filled, parse_notify, parse_receiver
from nova_async.words import NoticeKind

HOOK = "https://hooks.example.org/services/T0/B0"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("bell", [Notify(bell=Bell.BELL)]),
        (["bell", "osc9"], [Notify(bell=Bell.BELL), Notify(bell=Bell.OSC9)]),
        (["none"], []),
        ("OFF", []),
        ([], []),
        ("notify-send {title} '{text}'", [Notify(command=("notify-send", "{title}", "{text}"))]),
        ([{"command": ["bell"]}], [Notify(command=("bell",))]),
        ([{"command": "say done", "on": "end"}],
         [Notify(command=("say", "done"), on=frozenset({NoticeKind.END}))]),
        (["sh -c 'curl -d \"$NOVA_TEXT\" https://ntfy.example/x'"],
         [Notify(command=("sh", "-c", 'curl -d "$NOVA_TEXT" https://ntfy.example/x'))]),
        ([["sh"]], None),
        ([{"command": ["osascript", "-e", "on run a", "-e", "end run", "{text}"]}],
         [Notify(command=("osascript", "-e", "on run a", "-e", "end run", "{text}"))]),
        ([{"command": ["sh", "-c", 'say "$1"', "sh", "{text}"]}],
         [Notify(command=("sh", "-c", 'say "$1"', "sh", "{text}"))]),
        (HOOK, [Notify(url=HOOK)]),
        (["http://localhost:8080/x?y=1", "http://127.0.0.1", "http://[::1]:9/"],
         [Notify(url="http://localhost:8080/x?y=1"), Notify(url="http://127.0.0.1"), Notify(url="http://[::1]:9/")]),
        (["${SLACK_URL}"], [Notify(url="${SLACK_URL}")]),
        ([{"url": "https://a.example/${KEY}", "headers": {"Authorization": "Bearer ${TOKEN}"},
           "on": ["end", "blocked"]}],
         [Notify(url="https://a.example/${KEY}", headers={"Authorization": "Bearer ${TOKEN}"},
                 on=frozenset({NoticeKind.END, NoticeKind.BLOCKED}))]),
    ],
)  # fmt: skip
def test_receivers(value: Any, expected: list[Notify] | None) -> None:
    """A word for the terminal, an address, or a command that is split and not run by a shell."""
    if expected is None:
        with pytest.raises(ValueError, match="neither a string nor a table"):
            parse_notify(value)
    else:
        assert list(parse_notify(value)) == expected


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (["bell"] * 33, "more than 32"),
        ([{"command": ["osascript", "-e", 'display notification "{text}"']}], "would run what the placeholder says"),
        (7, "neither a string nor a table"),
        ([""], "names no program"),
        ([{"command": []}], "no program given"),
        ([{"command": 7}], "not a list of strings"),
        ([{"comand": "x"}], "did you mean 'command'"),
        ([{"on": ["end"]}], "either a command or a url"),
        ([{"command": "x", "url": HOOK}], "either a command or a url"),
        ([{"command": "x", "headers": {}}], "headers belong to a url"),
        ([{"command": "x", "on": []}], "on: "),
        ([{"command": "x", "on": 3}], "on: "),
        ([{"command": "x", "on": ["failures"]}], "did you mean 'failure'"),
        ([{"url": 7}], "url: '7' is not a string"),
        ([{"url": HOOK, "headers": ["x"]}], "headers: "),
        ([{"url": HOOK, "headers": {"Host": "x"}}], "'Host' cannot be set"),
        ([{"url": HOOK, "headers": {"a b": "x"}}], "cannot be set"),
        ([{"url": HOOK, "headers": {"X": "a\r\nEvil: 1"}}], "characters that no header can"),
        ("echo done && echo more", "not run by a shell"),
        ("http://hooks.example.org/x", "unencrypted"),
        ("http://127.0.0.1.example.org/x", "unencrypted"),
        ("http://localhost@example.org/", "not an address"),
        ("ftp://example.org/x", "not an address"),
        ("https://", "not an address"),
        ("https://example.org:99999/", "not a port"),
        ("https://example.org/a b", "not an address"),
        ("https://${HOST}/x", "whole address, or behind the host"),
        ("https://example.org/${}", "written ${NAME}"),
        ([{"command": ["sh", "-c", "say {text}"]}], "would run what the placeholder says"),
        ([{"command": ["sh", "-c", "{text}"]}], "would run what the placeholder says"),
        ([{"command": ["ssh", "desk", "say", "{title}"]}], "would run what the placeholder says"),
        ([{"command": ["python3", "-c", "print('{text}')"]}], "would run what the placeholder says"),
    ],
)
def test_what_is_no_receiver(value: Any, told: str) -> None:
    """What is wrong is said before anything starts, with what to write instead."""
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - its text is compared
        parse_notify(value)
    assert told in str(refused.value)


def test_it_is_an_error_of_the_plan() -> None:
    """In a plan it is told with its line."""
    with pytest.raises(CascadeError, match=r"CASCADE.md:2: E\d+ notify: url: http://x.example would be sent"):
        parse_cascade('+++\nnotify = ["http://x.example/"]\n+++\n- [ ] T1 x\n')


def test_no_address_is_shown() -> None:
    """An address is often a secret: a receiver does not show it where it is printed, nor does a refusal."""
    assert "secret" not in repr(parse_notify([{"url": f"{HOOK}/secret", "headers": {"X": "secret"}}]))
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - its text is looked at
        parse_receiver("http://a.example/secret")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("value", "name", "shown"),
    [
        ("say 'all done'", "`say`", "say 'all done'"),
        ({"command": "say done", "on": ["failure", "end"]}, "`say`", "say done (on end, failure)"),
        (f"{HOOK}?key=k", "hooks.example.org", "hooks.example.org"),
        ("http://localhost:80?key=k", "localhost:80", "localhost:80"),
        ("${HOOK}/secret", "${HOOK}", "${HOOK}"),
        ("osc9", "osc9", "osc9"),
    ],
)
def test_receivers_in_words(value: Any, name: str, shown: str) -> None:
    """A command as it is run; of an address only the host."""
    [receiver] = parse_notify([value])
    assert (receiver.name, str(receiver)) == (name, shown)


def test_addresses() -> None:
    """An address is taken apart as a request needs it."""
    assert address_of("https://a.example?x=1") == Address(True, "a.example", 443, "/?x=1")
    assert address_of("http://[::1]:8080/a") == Address(False, "::1", 8080, "/a")
    assert address_of("http://127.0.0.1") == Address(False, "127.0.0.1", 80, "/")


def test_variables() -> None:
    """They are filled in when the run begins; one that is not set, or no request can hold, is refused by its name."""
    assert filled("https://a.example/${KEY}", {"KEY": "x\n"}) == "https://a.example/x"
    for value in ({}, {"KEY": " "}):
        with pytest.raises(ValueError, match=r"^KEY is not set$"):
            filled("${KEY}", value)
    for text in ("a\r\nb", "\u2603"):
        with pytest.raises(ValueError, match=r"^KEY contains characters"):
            filled("${KEY}", {"KEY": text})
