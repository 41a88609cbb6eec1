"""Hostile plans: each is of a size at which quadratic time would be felt, most of it for minutes."""

import pytest

from nova_async.cascade.ids import open_range
from nova_async.cascade.reading import read_plan

HEAD = "| ID | What | Deps |\n|---|---|---|\n"
SIZE = 200_000

HOSTILE = {
    "blanks in an item": f"- [ ] T1 x{' ' * SIZE}y\n",
    "blanks behind a key": f"- [ ] T1 x (depends on{' ' * SIZE}\n",
    "brackets": f"- [ ] T1 x {'(after ' * (SIZE // 7)}\n",
    "keys": f"- [ ] T1 x {'after ' * (SIZE // 6)}\n",
    "key lines": "- [ ] T1 x\n" + "  Depends on: T1, T2\n" * (SIZE // 20),
    "tags": f"- [ ] T1 {'[a] ' * (SIZE // 4)}\n",
    "dashes in an id": f"- [ ] {'1-' * (SIZE // 2)}1 x\n",
    "joints in a dependency": f"{HEAD}| T1 | x | {'1-' * (SIZE // 2)}1 |\n",
    "dots in a dependency": f"{HEAD}| T1 | x | {'1..' * (SIZE // 3)}1 |\n",
    "marks in a title": f"### T1: {'(done) ' * (SIZE // 7)}x\n",
    "signs before a title": f"### {'! ' * (SIZE // 2)}T1: x\n",
    "stars": f"- [ ] {'*' * SIZE}T1 x\n",
    "colons": f"### {'Task ' * (SIZE // 5)}1: x\n",
    "names in a TOML key": f"+++\nenv.{'.'.join('a' * 50_000)} = 1\n+++\n- [ ] T1 x\n",
    "quoted names in a TOML key": "+++\n[" + ".".join(["'a'"] * 50_000) + "]\n+++\n- [ ] T1 x\n",
    "words of a check": f"+++\nverify = '{'a ' * (SIZE // 2)}'\n+++\n- [ ] T1 x\n",
    "rows of one group": HEAD + "".join(f"| T{n} | x | |\n" for n in range(4_000)),
    "items of one list": "".join(f"- [ ] T{n} x\n" for n in range(4_000)),
    "items without an id": "- [ ] the same words\n" * 3_000,
    "headings": "".join(f"### T{n}: x\n\ntext\n\n" for n in range(2_000)),
    "soft headings": "".join(f"## Step {n}: x\n\ntext\n\n" for n in range(2_000)),
    "parts in a chain": "".join(f"- [ ] {'1.' * n}1 x\n" for n in range(30)),
    "tasks below their own": "".join(f"- [ ] T{n} x (depends on T{n + 1})\n" for n in range(4_000)) + "- [ ] T4000 x\n",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_plan_is_read(text: str) -> None:
    """It is a plan, or has problems; either is said at once."""
    reading = read_plan(text)
    assert reading.tasks or reading.diagnostics


def test_a_word_that_is_too_long_is_no_range() -> None:
    """Nobody looks for the ends of a range in a word that could not hold two ids."""
    assert open_range("1-" * 100 + "1") is None
