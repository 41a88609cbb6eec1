"""The readers say of every recording what the model server knows to be true, however its bytes were cut."""

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nova_async.agents import AGENTS, AgentReport
from tests.agents.recordings import FULL, KEPT_RECORDINGS, Recording, pieces, read, recordings_in

COMPARABLE = [recording for recording in KEPT_RECORDINGS if recording.is_comparable]
# In miderror a broken answer counts until the total leaves it out.
MODEST = [recording for recording in COMPARABLE if not recording.path.name.startswith("miderror.sjp")]
SIZES = (1, 7, 4096, 65536, 0)
NAMES = ("claude", "codex", "gemini", "opencode", "qwen")
each_agent = pytest.mark.parametrize("agent", NAMES)
needs_all = pytest.mark.skipif(not FULL.is_dir(), reason="full capture set not present: ../shared/agents/captures")


def of(agent: str, recordings: list[Recording]) -> list[Recording]:
    """Return one agent's recordings of these."""
    return [recording for recording in recordings if recording.agent == agent]


def assert_true(recording: Recording, report: AgentReport) -> None:
    """Compare a report with the sidecar."""
    assert report.usage.as_dict() == recording.sidecar["reported"], recording.name
    assert report.usage_is_final is recording.is_final, recording.name


@pytest.mark.parametrize("recording", COMPARABLE, ids=lambda recording: recording.name)
def test_totals_are_the_truth_at_every_chunk_size(recording: Recording) -> None:
    """Usage and its finality are right, and whole reports equal, at every chunk size."""
    whole = recording.read()
    assert_true(recording, whole)
    for size in SIZES:
        assert recording.read(size) == whole, f"{recording.name} in chunks of {size}"


@needs_all
@each_agent
def test_all_recordings_at_every_chunk_size(agent: str) -> None:
    """The same holds for the full set of recordings."""
    recordings = of(agent, recordings_in(FULL))
    assert recordings
    for recording in recordings:
        if recording.is_comparable:
            whole = recording.read()
            assert_true(recording, whole)
            for size in SIZES:
                assert recording.read(size) == whole, f"{recording.name} in chunks of {size}"


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_totals_do_not_depend_on_random_cuts(data: st.DataObject) -> None:
    """Any cuts at all give the same report."""
    recording = data.draw(st.sampled_from(COMPARABLE))
    cuts = data.draw(st.lists(st.integers(0, len(recording.output)), max_size=12).map(sorted))
    edges = [0, *cuts, len(recording.output)]
    report = read(recording.reader(), (recording.output[a:b] for a, b in pairwise(edges)))
    assert report == recording.read()


@each_agent
def test_a_live_estimate_is_modest_and_never_shrinks(agent: str) -> None:
    """Line by line the usage only grows until a result replaces it, and is never above the truth."""
    for recording in of(agent, MODEST):
        truth = recording.sidecar["reported"]
        seen: list[AgentReport] = []
        read(recording.reader(), recording.output.splitlines(keepends=True), seen.append)
        for before, after in pairwise(seen):
            for field, tokens in after.usage.as_dict().items():
                assert after.usage_is_final or tokens >= before.usage.as_dict()[field]
                assert tokens <= truth[field]


@each_agent
def test_an_output_may_end_anywhere(agent: str) -> None:
    """Cut off after any byte, an output raises nothing, and counts nothing that is not there."""
    for recording in of(agent, MODEST):
        truth = recording.sidecar["reported"]
        if len(recording.output) >= 6000:
            continue
        for end in range(len(recording.output)):
            usage = read(recording.reader(), [recording.output[:end]]).usage.as_dict()
            assert all(usage[field] <= truth[field] for field in usage)


@each_agent
def test_without_a_mode_the_first_event_tells(agent: str) -> None:
    """A reader that was not told the mode finds it out, and takes no text for an event."""
    for recording in of(agent, COMPARABLE):
        report = read(AGENTS[recording.agent].reader(), pieces(recording.output, 4096))
        assert_true(recording, report)


@each_agent
def test_activity_is_always_one_printable_line(agent: str) -> None:
    """Whatever an agent prints, its activity and error are short, printable, single lines."""
    for recording in of(agent, KEPT_RECORDINGS):

        def check(report: AgentReport) -> None:
            for text, longest in ((report.activity, 200), (report.error, 300)):
                assert text is None or (text.isprintable() and 0 < len(text) <= longest and text == text.strip())
            assert report.session_id is None or re.fullmatch(r"[A-Za-z0-9][\w.:-]*", report.session_id)

        read(recording.reader(), pieces(recording.output, 500), check)


@each_agent
def test_parts_by_model_add_up(agent: str) -> None:
    """Where models are named, their parts make the whole."""
    for recording in of(agent, COMPARABLE):
        report = recording.read()
        if report.usage_by_model:
            for field, tokens in report.usage.as_dict().items():
                assert sum(getattr(part, field) for part in report.usage_by_model.values()) == tokens


@each_agent
def test_closing_twice_and_asking_again_changes_nothing(agent: str) -> None:
    """A closed reader's report is one and the same object."""
    for recording in of(agent, COMPARABLE):
        reader = recording.reader()
        report = read(reader, [recording.output])
        reader.close()
        reader.feed(b"")
        assert reader.report is report
