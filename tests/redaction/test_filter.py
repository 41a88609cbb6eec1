"""The filter of a stream: no secret gets through, whatever the text, the secrets and the cuts."""

import json
import re
import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nova_async.redaction import MARK, Redaction, Redactor, check_rules, redaction_of, without_effect
from nova_async.redaction.secrets import bare

MARKED = MARK.decode()
KEY = "tok-8Jq/2v+Xy"

texts = st.text(alphabet="abc", max_size=60)
secrets = st.lists(st.text(alphabet="abc", min_size=8, max_size=12), min_size=1, max_size=4)
nasty = st.text(alphabet='ab"\\/\n\té😀<', min_size=8, max_size=14).filter(lambda text: len(bare(text)) > 7)
slow = settings(deadline=None)  # a busy machine is no fault of a text
cuts = st.lists(st.integers(0, 400), max_size=8)


def redacting(*values: str) -> Redaction:
    """Return what takes these values out of a text."""
    return redaction_of(["KEY_*"], {f"KEY_{number}": value for number, value in enumerate(values)})


def in_pieces(redaction: Redaction, text: bytes, cuts: list[int]) -> bytes:
    """Return a text that has gone through the filter in pieces."""
    stream, places = redaction.stream(), [0, *sorted(cuts), len(text)]
    pieces = [text[begin:end] for begin, end in pairwise(places)]
    return b"".join(map(stream.feed, pieces)) + stream.close()


def replaced(text: str, values: list[str]) -> str:
    """Redact a whole text in the plainest way: drop every byte of every value, and mark where something was."""
    dropped = set()
    for value in values:
        at = text.find(value)
        while at >= 0:
            dropped.update(range(at, at + len(value)))
            at = text.find(value, at + len(value))
    for begin in range(len(text)):  # most of a value, cut off at the end of the text
        beginning = text[begin:]
        if len(beginning) >= 8 and any(value.startswith(beginning) for value in values):
            dropped.update(range(begin, len(text)))
    shown = "".join("\0" if place in dropped else char for place, char in enumerate(text))
    return re.sub("\0+", MARKED, shown)


@slow
@given(texts, secrets, cuts)
def test_it_equals_the_replacement_in_the_whole_text(text: str, values: list[str], cuts: list[int]) -> None:
    """However the stream is cut, what comes out is the text with all of its secrets replaced."""
    found = in_pieces(redacting(*values), text.encode(), cuts).decode()
    assert found == replaced(text, values)
    assert not any(value in found for value in values)


@slow
@given(st.lists(st.one_of(nasty, st.text(alphabet='ab\\u0", ', max_size=6)), max_size=4), nasty, cuts, st.data())
def test_cuts_change_nothing(parts: list[str], value: str, cuts: list[int], data: st.DataObject) -> None:
    """Nor do cuts matter where a secret is spelled as in JSON."""
    spelled = [part if data.draw(st.booleans()) else json.dumps(part) for part in [*parts, value, value[:9]]]
    text = "".join(data.draw(st.permutations(spelled))).encode()
    redaction = redacting(value)
    assert in_pieces(redaction, text, cuts) == in_pieces(redaction, text, [])
    assert in_pieces(redaction, text, list(range(len(text)))) == in_pieces(redaction, text, [])


@slow
@given(
    nasty, st.text(alphabet='xy" ', max_size=5), st.text(alphabet='xy" ', max_size=5), cuts, st.booleans(), st.data()
)
def test_spelled_as_in_json(
    value: str, before: str, after: str, cuts: list[int], ascii_only: bool, data: st.DataObject
) -> None:
    """A secret inside a JSON string, or inside JSON inside of one, is found: no reader of that JSON gets it back."""
    text = json.dumps([before + value + after], ensure_ascii=ascii_only)
    if data.draw(st.booleans()):
        text = text.replace("/", "\\/").replace("<", "\\u003C")
    if data.draw(st.booleans()):
        text = json.dumps({"output": text}, ensure_ascii=data.draw(st.booleans()))
    found = in_pieces(redacting(value), text.encode(), cuts).decode()
    assert MARKED in found
    decoded = json.loads(found)
    inner = json.loads(decoded["output"]) if isinstance(decoded, dict) else decoded
    assert value.strip() not in inner[0]


def test_every_letter_escaped() -> None:
    """JSON may write any character as an escape."""
    text = "".join(f"\\u{ord(char):04X}" for char in KEY)
    assert redacting(KEY).text(f'"{text}"') == f'"{MARKED}"'
    mixed = f"{KEY[:3]}\\u{ord(KEY[3]):04x}{KEY[4:]}"
    assert redacting(KEY).text(json.dumps(mixed)) == f'"{MARKED}"'


@slow
@given(texts, secrets)
def test_only_the_beginning_of_a_secret_is_held_back(text: str, values: list[str]) -> None:
    """What comes out at once is all but the longest end that may be the beginning of a secret."""
    stream = redacting(*values).stream()
    out = stream.feed(text.encode())
    rest = stream.close()
    if MARK in out + rest:
        return
    ends = (text[begin:] for begin in range(len(text)))
    beginnings = [len(end) for end in ends if any(value.startswith(end) for value in values)]
    assert len(rest) == max(beginnings, default=0)


def test_memory_is_bounded() -> None:
    """However much comes, no more is held than one secret is long."""
    stream = redacting("ab" * 20).stream()
    longest = max(len(stream.feed(b"ab" * 19) or b"") and len(stream._held) for _ in range(1000))
    assert longest < 40


def test_what_is_not_touched_is_not_copied() -> None:
    """A chunk without a secret comes out as the same object."""
    chunk = b"x" * 1000
    assert redacting(KEY).stream().feed(chunk) is chunk


def test_lines_of_a_value() -> None:
    """Each line of a key is found by itself, as it may be printed indented, or with the line ends of a terminal."""
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\n-----END KEY-----\n"
    for text in (key, key.replace("\n", "\r\n"), "    ".join(key.splitlines(keepends=True)), json.dumps(key)):
        found = redacting(key).text(text)
        assert not any(line in found for line in key.splitlines())


def test_a_value_of_short_lines_is_found_as_a_whole() -> None:
    """Where its lines are too short to be looked for alone, the value still is."""
    value = "abc\ndef\nghijk"
    assert redacting(value).text(f"x{value}y") == f"x{MARKED}y"
    assert redacting(value).text(json.dumps(value)) == f'"{MARKED}"'


def test_bytes_that_are_no_text() -> None:
    """A value of the environment may be any bytes but NUL."""
    value = b"ab\xff\xfe cdefgh".decode(errors="surrogateescape")
    stream = redacting(value).stream()
    assert stream.feed(b"xab\xff\xfe cdefghy") + stream.close() == b"x[redacted]y"
    assert redacting(value).text(f"x{value}y") == f"x{MARKED}y"


def test_half_a_pair_of_surrogates() -> None:
    """Text that no file could hold is redacted like any other; and where nothing is to be redacted, it stays."""
    assert redacting(KEY).text(f"\ud800{KEY}") == f"\ud800{MARKED}"
    assert Redaction().text("\ud800") == "\ud800"


def test_nothing_to_redact() -> None:
    """Without a rule, with a variable that is not set, or with a short value there is nothing to do."""
    assert not redaction_of([], {"A": KEY})
    assert not redaction_of(["OTHER"], {"A": KEY})
    assert not redacting("short", "", "1234567")
    assert redaction_of(["A"], {"A": "12345678"})
    assert redaction_of(["A"], {}, {"A": KEY}).text(KEY) == MARKED


def test_it_does_not_show_its_values() -> None:
    """Nothing of what is to be redacted stands in a traceback or a log."""
    assert KEY not in repr(redacting(KEY))
    assert isinstance(redacting(KEY).stream(), Redactor)


@pytest.mark.parametrize(
    ("rule", "text", "expected"),
    [
        ("/sk-[A-Za-z0-9]{20,}/", "x sk-abcdefghij0123456789 y", "x [redacted] y"),
        ("/sk-[A-Za-z0-9]{20,}/", "x sk-abcdefghij012345678 y", "x sk-abcdefghij012345678 y"),
        ("/sk-[A-Za-z0-9]{20,}/", "sk-" + "a" * 5000 + "-", "[redacted]-"),
        ("/AKIA[A-Z0-9]{16}/", "AKIAABCDEFGHIJKLMNOPQ", "[redacted]Q"),
        ("/Bearer .+/", "h: Bearer a b c\nnext", "h: [redacted]\nnext"),
        (r"/a\.b\d\d/", "axb12 a.b12", "axb12 [redacted]"),
        ("/caf\u00e9!!/", "caf\u00e9!!", "[redacted]"),
        (r"/key=\w*/", "key= key=abc_1-", "[redacted] [redacted]-"),
    ],
)  # fmt: skip
def test_patterns(rule: str, text: str, expected: str) -> None:
    """A pattern takes out what has its shape, and its end goes on as far as it can."""
    redaction = redaction_of([rule])
    assert redaction.text(text) == expected
    for size in (1, 2, 7):
        assert in_pieces(redaction, text.encode(), list(range(0, len(text), size))).decode() == expected


@slow
@given(st.text(alphabet="abx-", max_size=80), cuts)
def test_patterns_are_what_python_finds(text: str, cuts: list[int]) -> None:
    """A pattern finds what Python's own regular expression does, but for what is cut off at the end."""
    for pattern in ("x-[ab]{2}[ab]", "[xa]-[ab]{3,}", "xab-b+"):
        found = in_pieces(redaction_of([f"/{pattern}/"]), text.encode(), cuts).decode()
        assert found == re.sub(f"(?:{pattern})+", MARKED, text)


def test_a_hostile_output_takes_linear_time() -> None:
    """What nearly matches at each place is not compared again and again."""
    redaction = redaction_of(["/[a-z]{60,}/", "/[ab]{100}!/", "A"], {"A": "a" * 50 + "b"})
    seconds = []
    for size in (1, 4):
        stream, begun = redaction.stream(), time.process_time()
        stream.feed(b"ab" * 50_000 * size)
        stream.feed(b"a" * 50_000 * size)
        seconds.append(time.process_time() - begun)
    assert seconds[1] < 12 * seconds[0] + 0.1


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ("/tok-abcdef\\/", "ends in a single backslash"),
        ("/tok-(a|b)cdef/", "tok-(a|b)cdef"),
        ("/tok-[z-a]bcdef/", "tok-[z-a]bcdef"),
        ("/tok-[a--b]bcdef/", "tok-[a--b]bcdef"),
        ("/tok-\\bbcdef/", "bcdef"),
        ("/tok-a+bcdefg/", "tok-a+bcdefg"),
        ("/ab/", "its shortest match has 2 characters"),
        ("/a{900}/", "its shortest match has 900 characters"),
    ],
)
def test_a_pattern_that_cannot_be_searched_for_is_refused(rule: str, why: str) -> None:
    """With what is wrong; nothing is taken for a weaker one in silence."""
    with pytest.raises(ValueError, match=re.escape(why)):
        check_rules([rule])


@pytest.mark.parametrize("rules", ["KEY", b"KEY", [1], 5, None], ids=repr)
def test_rules_are_a_list_of_texts(rules: object) -> None:
    """One text would be taken for a list of its letters."""
    with pytest.raises(TypeError, match="redact must be a list of strings"):
        check_rules(rules)


def test_what_may_be_a_secret_that_was_cut_off_is_dropped_at_the_end() -> None:
    """If it is most of one."""
    stream = redacting(KEY).stream()
    shown = stream.feed(b"key: " + KEY.encode()[:-1]) + stream.close()
    assert KEY[:-1].encode() not in shown
    assert shown.startswith(b"key: ")


def test_names_that_redact_nothing_are_told() -> None:
    """A misspelled name, or a value too short to look for; a pattern needs no variable, and one value is enough."""
    ours, theirs = {"API_KEY": KEY, "PIN": "1234567"}, {"PIN": "", "API_PIN": "12"}
    told = dict(without_effect(["API_KEY", "API_*", "/sk-[a-z]+/", "PIN", "APIKEY", "NO_*"], ours, theirs))
    assert list(told) == ["PIN", "APIKEY", "NO_*"]
    assert told["PIN"] == "its value has fewer than 8 bytes, so it is not redacted"
    assert told["APIKEY"] == told["NO_*"] == "no such variable is set, so nothing is redacted"
