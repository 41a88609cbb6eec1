"""A plugin of pytest: every loop of the tests' own process is uvloop's; programs that they start choose their own."""

import asyncio

import pytest
import uvloop  # type: ignore[import-not-found, unused-ignore]

CLOSES_NOTHING = "uvloop leaves what is inheritable to the child"
LOOKS_INSIDE = "looks into asyncio's own loop"
LEAKS = "uvloop keeps a descriptor of /dev/null where it starts nothing"
# What uvloop does otherwise, by test; docs/gotchas.md tells what that means for its users.
OTHERWISE = {
    "test_children_inherit_only_their_streams": CLOSES_NOTHING,
    "test_the_command_does_not_notice": CLOSES_NOTHING,
    "test_timers_end_with_the_child": LOOKS_INSIDE,
    "test_nothing_of_a_writer_stays_in_the_loop": LOOKS_INSIDE,
    "test_no_timer_outlives_a_run": LOOKS_INSIDE,
    "test_no_timer_outlives_an_attempt_that_was_stopped_twice": LOOKS_INSIDE,
    "test_a_run_in_whose_place_another_one_works_ends_at_once": LEAKS,
    "test_no_room_for_a_process": LEAKS,
    "test_a_program_sees_its_name_as_it_was_written": "uvloop names a program by its path",
    "test_an_error_at_the_start_itself_leaves_nothing": "uvloop gives a file without a known format to the shell",
    "test_a_child_that_cannot_be_watched": "uvloop has no exchangeable watchers",
    "test_one_guard_serves_all_loops_and_threads": "two loops of uvloop cannot start a program at the same moment",
}


def pytest_configure() -> None:
    """Choose the loop of the blocking workers, too: theirs is made in a thread of its own."""
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what is known to be otherwise."""
    for item in items:
        reason = OTHERWISE.get(item.name.partition("[")[0])
        if reason is not None:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def event_loop_policy() -> asyncio.AbstractEventLoopPolicy:
    """Choose the loop of the tests."""
    return uvloop.EventLoopPolicy()  # type: ignore[no-any-return, unused-ignore]
