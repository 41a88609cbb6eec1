"""Two plans of the form, size and shape of those that the original project published."""

from pathlib import Path

import pytest

from nova_async.cascade import load_cascade

DATA = Path(__file__).parent / "data"
SESSION_IMPROVER = {
    ("Data Layer", "Foundation"): {"F1": "", "F2": "", "F3": "F2"},
    ("Data Layer", "Ingestion"): {"I1": "F1 F2 F3", "I2": "F1 F3 I1", "I3": "I1 I2", "I4": "I3"},
    ("Analysis", "Model Access"): {"A1": "", "A2": "", "A3": "A2"},
    ("Analysis", "Session Analysis"): {"S1": "F1 A1 A2 A3", "S2": "S1", "S3": "S1 S2"},
    ("Prompt Update", "Prompt Generation"): {"U1": "", "U2": "F1", "U3": "A1 U1 U2"},
    ("Prompt Update", "Pull Request"): {"P1": "U3", "P2": "P1", "P3": "P1 P2"},
}
PROVIDER_GATEWAY = {
    ("Application", "Foundation"): {"F1": "", "F2": "F1", "F3": "F1", "F4": "F1 F2"},
    ("Application", "Provider Layer"): {"P1": "F1", "P2": "P1 F3", "P3": "P1 F3"},
    ("Infrastructure", "Deployment"): {"D1": "", "D2": "D1"},
    ("DevOps & Testing", "Testing"): {"T1": "F1 F2 F3", "T2": "P2 P3"},
}


@pytest.mark.parametrize(
    ("file", "project", "count", "expected"),
    [
        ("session_improver.md", "Session Improver", 19, SESSION_IMPROVER),
        ("provider_gateway.md", "Provider Gateway", 11, PROVIDER_GATEWAY),
    ],
)
def test_plan_of_the_original_form(
    file: str, project: str, count: int, expected: dict[tuple[str, str], dict[str, str]]
) -> None:
    """Ids, dependencies, groups and branches are those of the file, in its order, without a warning."""
    cascade = load_cascade(DATA / file)
    found: dict[tuple[str, str], dict[str, str]] = {}
    for task in cascade.tasks.values():
        found.setdefault((task.branch, task.group), {})[task.id] = " ".join(task.depends_on)
    assert found == expected
    assert (cascade.project, len(cascade.tasks), cascade.warnings) == (project, count, ())


def test_names_and_prompts_are_kept_to_the_letter() -> None:
    """Dashes, brackets and plus signs in a prompt are text."""
    tasks = load_cascade(DATA / "session_improver.md").tasks
    assert tasks["A1"].name == "Client"
    assert tasks["A1"].description == "Wrap the SDK thinly — send messages, get the answer, handle errors"
    assert tasks["P3"].description == "Wire up update.py with argparse: --prompt-file <path>, runs U1 through P2"


def test_order_of_the_plans() -> None:
    """The waves and the critical path of the smaller plan."""
    cascade = load_cascade(DATA / "provider_gateway.md")
    assert cascade.waves() == [["F1", "D1"], ["F2", "F3", "P1", "D2"], ["F4", "P2", "P3", "T1"], ["T2"]]
    assert cascade.critical_path() == ["F1", "F3", "P2", "T2"]
