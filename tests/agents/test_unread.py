"""Agents of others are known by their programs, so that it can be said what is not known of them."""

import pytest

from nova_async.agents import unread_agent


@pytest.mark.parametrize(
    ("command", "program"),
    [
        ("pi -p x", "pi"),
        ("/opt/bin/aider --message x", "aider"),
        ("timeout 60 goose run -t x", "goose"),
        ("npx -y amp", "amp"),
        ("claude -p x", None),
        ("grep pi file", None),
        ("make", None),
    ],
)
def test_an_unread_agent_is_known_by_its_program(command: str, program: str | None) -> None:
    """Also behind what starts it."""
    assert unread_agent(command.split()) == program


def test_an_unread_agent_is_known_in_a_shells_text() -> None:
    """As ours are."""
    assert unread_agent(["sh", "-c", "cd x && openhands x"]) == "openhands"
