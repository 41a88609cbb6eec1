"""The documented usage line is found in any command's output, and its last line is what it is doing."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_async import TokenUsage
from nova_async.agents import AGENTS
from nova_async.agents.plain import LONG_LINE
from tests.agents.recordings import Recording, kept, pieces, read

LINE = b"Token usage: input=1234, output=567, cache_read=890, cache_creation=123"
ONCE = TokenUsage(1234, 567, 890, 123)
EVENTS = [
    *("claude/tools.sj.stdout", "codex/tools.json.merged", "gemini/tools.sj.merged"),
    *("opencode/tools.json.stdout", "qwen/tools.sj.stdout"),
]


def plain(*chunks: bytes) -> TokenUsage:
    """Read chunks as any command's output."""
    return read(AGENTS["plain"].reader(), chunks).usage


def test_usage_lines_are_summed_wherever_they_stand() -> None:
    """At the start of a line, inside it, twice in it, and in the last one without its end."""
    assert plain(LINE + b"\n") == ONCE
    assert plain(b"[agent] " + LINE + b", done\n" + LINE + LINE + b"\nx\n" + LINE).total == 4 * ONCE.total


@pytest.mark.parametrize("size", [1, 7, 73, 4096])
@pytest.mark.parametrize("filler", [b"", b"x" * 65_500, b"y" * 200_000])
def test_cuts_and_long_lines_change_nothing(size: int, filler: bytes) -> None:
    """A usage line counts wherever it was cut, also inside a line too long to keep."""
    text = filler + LINE + filler[:70_000] + LINE + b"\n" + LINE
    assert plain(*pieces(text, size)).total == 3 * ONCE.total


@given(
    st.lists(
        st.sampled_from([LINE, b"\n", b"9", b"Token usage: ", b"Token usage: input=1, output=2, ", b"z" * 300]),
        max_size=12,
    ),
    st.lists(st.integers(0, 900), max_size=6),
)
def test_any_cut_gives_the_same_total(parts: list[bytes], cuts: list[int]) -> None:
    """The total is a function of the bytes."""
    text = b"".join(parts)
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    assert plain(*(text[a:b] for a, b in pairwise(edges))) == plain(text)


def test_a_line_counts_when_it_has_ended() -> None:
    """Half a number is never counted."""
    reader = AGENTS["plain"].reader()
    reader.feed(LINE)
    assert reader.report.usage.total == 0
    reader.feed(b"4\n")
    assert reader.report.usage.cache_creation_tokens == 1234


@pytest.mark.parametrize(
    "other",
    [
        b"token usage: input=1, output=2, cache_read=3, cache_creation=4",
        b"Token usage: input=-1, output=2, cache_read=3, cache_creation=4",
        b"Token usage: input=1.5, output=2, cache_read=3, cache_creation=4",
        b"Token usage: input=1, output=2, cache_read=3",
        b"Token usage: input=1, output=2, cache_read=3, cache_creation=" + b"9" * 5000,
        b"Token usage: input=1,\noutput=2, cache_read=3, cache_creation=4",
        "Token usage: input=\u0661, output=2, cache_read=3, cache_creation=4".encode(),
    ],
)
def test_anything_else_is_not_counted(other: bytes) -> None:
    """Only the documented format counts."""
    assert plain(other + b"\n").total == 0


@pytest.mark.parametrize(
    ("output", "activity"),
    [
        (b"building\n\n\n", "building"),
        (b"10%\r20%\r30%", "30%"),
        (b"\x1b[1;31mred\x1b[0m \x1b]0;title\x07alert\tand\x00more\n", "red alert and more"),
        (b"\xffcaf\xc3\xa9 \xe2\x80\xa8 end\n", "\ufffdcafé end"),
        (b"w" * 500 + b"\n", "w" * 199 + "…"),
        (b"\n \n", None),
        (b"", None),
    ],
)
def test_the_last_line_is_the_activity(output: bytes, activity: str | None) -> None:
    """The last line that says anything is shown, clean and short."""
    reader = AGENTS["plain"].reader()
    for chunk in pieces(output, 3):
        reader.feed(chunk)
    assert reader.report.activity == activity


def test_a_plain_command_gives_no_verdict() -> None:
    """No result format, no verdict: the exit code is all there is."""
    report = read(AGENTS["plain"].reader(), [LINE + b"\n"])
    assert (report.is_error, report.usage_is_final, report.result) == (None, False, None)


def test_an_unchanged_report_is_the_same_object() -> None:
    """Asking twice costs nothing."""
    reader = AGENTS["plain"].reader()
    reader.feed(b"hello\n")
    assert reader.report is reader.report
    before = reader.report
    reader.feed(b"hello\n")
    assert reader.report is before


@pytest.mark.parametrize("recording", [kept(name) for name in EVENTS], ids=EVENTS)
@pytest.mark.parametrize("size", [1, 7, 4096, 0])
def test_an_agents_events_are_noticed_and_not_counted(recording: Recording, size: int) -> None:
    """Whoever forgot to name the agent is told so; a model could print such lines, so nothing is counted by them."""
    output = b"npm warn deprecated\n{\n" + recording.output
    report = read(AGENTS["plain"].reader(), pieces(output, size))
    assert report.looks_like == recording.agent
    assert (report.usage.total, report.expects_result, report.is_error) == (0, False, None)


@pytest.mark.parametrize(
    "output",
    [
        b"",
        b"Hello.\n",
        b'{"type":"object","properties":{}}\n' * 99,
        b'{"type":"system","subtype":"init"}\n',
        b"x" * 300_000 + b"\n" + kept(EVENTS[0]).output,
        b'say {"type":"thread.started","thread_id":"s"}\n',
    ],
    ids=["nothing", "a word", "JSON of others", "no session", "far behind", "within a line"],
)
def test_other_output_looks_like_nobodys(output: bytes) -> None:
    """Only a whole first event near the beginning is taken for a sign."""
    assert read(AGENTS["plain"].reader(), [output]).looks_like is None


def test_a_long_line_without_its_end_is_let_go() -> None:
    """It does not grow for ever, and a usage line after its end counts."""
    assert plain(b"first\n" + b"x" * (LONG_LINE + 1), b"x" * LONG_LINE, b"\n" + LINE + b"\n") == ONCE


@pytest.mark.parametrize("more", [b"x" * 10, b"\n" + LINE + b"\n", b"9, output=1, cache_read=0, cache_creation=0\n"])
def test_a_long_line_that_ends_in_half_a_usage_line_is_kept_in_part(more: bytes) -> None:
    """What may be the beginning of one is looked at again with the next chunk, wherever a line was let go."""
    whole = b"first\n" + b"x" * (LONG_LINE + 1) + LINE + b" Token usage: input="
    assert plain(whole, more) == plain(whole + more)


@pytest.mark.parametrize("output", [b"said\n\x00\x01", b"said\n" + b" " * 5000 + b"\n"])
def test_a_last_line_without_a_word_is_not_the_activity(output: bytes) -> None:
    """What stands before it is."""
    reader = AGENTS["plain"].reader()
    reader.feed(output)
    assert reader.report.activity == ("said" if len(output) < 1000 else None)
