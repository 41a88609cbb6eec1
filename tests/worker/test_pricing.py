"""What a worker's tokens cost by prices, live: for questions, and for its cost budget."""

import json
import sys
from pathlib import Path

import pytest

from nova_async import AsyncWorker, Limits, ModelPrice, Prices, Worker, WorkerEnd
from nova_async.agents import AgentReport
from nova_async.usage import TokenUsage
from nova_async.worker import pricing
from nova_async.worker.pricing import Pricing
from nova_async.worker.published_prices import PublishedPrices, prices_in
from tests.children import program, ready

MODEL = "model-of-spending"
PRICES = Prices({MODEL: ModelPrice(10.0, 90.0)}, listed=False)  # $0.10 for each of its calls

PACKAGE = '''
"""Stands in for genai-prices: its shape, as far as nova reads it, with one model in two providers."""
from dataclasses import dataclass
from typing import Any
__version__ = "9.8.7"
'''
DATA = """
from dataclasses import dataclass
from decimal import Decimal
from types import SimpleNamespace as Thing

class Contains:
    def __init__(self, text): self.text = text
    def is_match(self, name): return self.text in name

TIERED = Thing(base=Decimal("0.5"), tiers=[Thing(start=200000, price=Decimal("1"))])
FULL = Thing(input_mtok=Decimal("2"), output_mtok=Decimal("8"), cache_read_mtok=TIERED, cache_write_mtok=None)
DEAR = Thing(input_mtok=Decimal("3"), output_mtok=Decimal("9"))
PARTLY = Thing(input_mtok=Decimal("3"))
NAMES = Thing(or_=[Thing(equals="Spend-1"), Thing(starts_with="spend-one"), Thing(regex="spend.*")])

def model(id, match, prices):
    return Thing(id=id, match=match, get_prices=lambda at: prices)

def get_snapshot():
    return Thing(providers=[
        Thing(id="reseller", model_match=None, models=[model("spend-1", NAMES, DEAR)]),
        Thing(id="maker", model_match=Contains("spend"), models=[
            model("spend-1", NAMES, FULL), model("spend-2", Thing(equals="spend-2"), PARTLY)]),
    ])
"""


async def over_budget(tmp_path: Path, command: list[str], limit: float, prices: Prices | None = PRICES) -> AsyncWorker:
    """Run an agent with a cost budget to its end."""
    worker = AsyncWorker("F1", log_dir=tmp_path, agent="claude", limits=Limits(max_cost_usd=limit), prices=prices)
    await worker.start(command)
    await worker.wait(30)
    return worker


async def test_a_cost_budget_acts_before_the_agent_tells_its_cost(tmp_path: Path) -> None:
    """By an estimate of what it has used up to now, which the error calls an estimate."""
    worker = await over_budget(tmp_path, program("spending"), 0.35)
    assert worker.end is WorkerEnd.OVER_BUDGET
    assert worker.error is not None
    assert worker.error.startswith("cost budget exceeded: an estimated $0.")
    assert worker.error.endswith(" spent, limit $0.35 (max_cost_usd)")
    assert worker.estimated_usd == pytest.approx(worker.report.usage.output_tokens / 1000 * 0.1)


async def test_the_agents_own_figure_stands_above_every_price(tmp_path: Path) -> None:
    """Once the agent has told its cost there is no estimate, however dear its tokens would be."""
    dear = Prices({"claude-sonnet-4-6": ModelPrice(1e6, 1e6, 1e6, 1e6)}, listed=False)
    worker = AsyncWorker("F1", log_dir=tmp_path, agent="claude", limits=Limits(linger=0.3, max_cost_usd=1), prices=dear)
    await worker.start(program("lingerer"))
    await worker.wait(30)
    assert worker.end is WorkerEnd.LINGERED
    assert (worker.report.cost_usd, worker.estimated_usd) == (0.5, None)


async def test_an_unknown_price_ends_nobody(tmp_path: Path) -> None:
    """What is not known is no zero and no excess; without prices there is no estimate at all."""
    for prices in (Prices({"other": ModelPrice(1e6, 1e6)}, listed=False), None):
        worker = AsyncWorker("F1", log_dir=tmp_path, agent="claude", limits=Limits(max_cost_usd=0.01), prices=prices)
        async with worker:
            await worker.start([*program("spending"), MODEL, "3"])
            await ready(worker)
            assert worker.report.usage.total == 6000
            assert worker.estimated_usd is None
            assert worker.get_status_dict()["estimated_usd"] is None
        assert worker.end is WorkerEnd.TERMINATED


def test_the_estimate_of_a_killed_agent(tmp_path: Path) -> None:
    """It never told its cost: the tokens that it had used until then are priced; in the blocking face, too."""
    with Worker("F1", log_dir=tmp_path, agent="claude", prices=PRICES) as worker:
        worker.start([*program("spending"), MODEL, "3"])
        assert "ready\n" in (f"{line}\n" for line in until_ready(worker))
        worker.terminate(0)
    assert (worker.report.cost_usd, worker.estimated_usd) == (None, pytest.approx(0.3))
    assert json.loads(json.dumps(worker.get_status_dict()))["estimated_usd"] == pytest.approx(0.3)


def until_ready(worker: Worker) -> list[str]:
    """Return the lines up to the one that says ready."""
    seen = []
    for line in worker.lines():
        seen.append(line)
        if line == "ready":
            break
    return seen


def test_prices_of_the_wrong_type() -> None:
    """A table alone is no ``Prices``; the error says what to write."""
    with pytest.raises(TypeError, match="write Prices"):
        AsyncWorker("F1", prices={"m": ModelPrice(1, 2)})  # type: ignore[arg-type]


async def test_an_estimate_is_reckoned_once_for_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most reports tell of something else than tokens, and there are thousands of them."""
    reckoned = []
    real = pricing.estimate_of
    monkeypatch.setattr(pricing, "estimate_of", lambda *all: reckoned.append(all) or real(*all))
    priced = Pricing(PRICES, None)
    for activity in ("a", "b", "c"):
        used = {MODEL: TokenUsage(1_000_000)}
        report = AgentReport(usage=TokenUsage(1_000_000), usage_by_model=used, activity=activity)
        assert (priced.estimate(report), priced.estimate(report)) == (10.0, 10.0)
    assert len(reckoned) == 1


# The published prices.


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a package in the place of genai-prices, and return its folder."""
    folder = tmp_path / "packages" / "genai_prices"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(PACKAGE)
    (folder / "data_snapshot.py").write_text(DATA)
    monkeypatch.syspath_prepend(str(folder.parent))
    return folder


def test_published_prices_are_read_by_another_process(package: Path) -> None:
    """Every exact name has its price, and a reseller's only with its name; the package is never loaded here."""
    published = PublishedPrices()
    assert (published.is_installed, published.of("spend-1")) == (True, None)
    published.read()
    full = ModelPrice(2.0, 8.0, 0.5, 2.0)
    assert (published.version, published.is_settled) == ("9.8.7", True)
    assert published.of("spend-1") == published.of("spend-one") == published.of("maker/spend-1") == full
    assert published.of("reseller/spend-1") == ModelPrice(3.0, 9.0, 3.0, 3.0)
    assert (published.of("spend-2"), published.of("spend.*"), published.of("reseller/spend-2")) == (None, None, None)
    assert sys.modules.get("genai_prices.data_snapshot") is None or not package.is_relative_to(
        Path(sys.modules["genai_prices"].__file__ or "")
    )


def test_a_package_that_cannot_be_read(package: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Costs the estimates, says why once, and is not tried again."""
    (package / "__init__.py").write_text("raise ImportError('half of it is missing')")
    published = PublishedPrices()
    for _ in range(2):
        published.read()
        assert not published.read_soon(lambda: None)
    assert (published.is_settled, published.version, published.of("spend-1")) == (True, "", None)
    assert [record.getMessage() for record in caplog.records] == [
        "cannot read the prices of genai-prices, so nothing is estimated by them: ImportError: half of it is missing"
    ]


@pytest.mark.parametrize("document", [b"", b"[]", b"{}", b'{"version": "1", "prices": {"m": 3}}', b'{"prices": []}'])
def test_no_list_of_prices(document: bytes) -> None:
    """Whatever else such a program says."""
    with pytest.raises(ValueError, match=r"not a list of prices|Expecting value"):
        prices_in(document)


async def test_prices_that_become_known_while_an_agent_runs(
    tmp_path: Path, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are read when the first tokens come, without anybody waiting, and what has been spent is judged then."""
    monkeypatch.setattr(pricing, "PUBLISHED", PublishedPrices())
    worker = AsyncWorker("F1", log_dir=tmp_path, agent="claude", limits=Limits(max_cost_usd=0.02), prices=Prices())
    await worker.start([*program("spending"), "spend-1", "3"])  # $0.01 for each of its three calls; then it is silent
    await worker.wait(30)
    assert worker.error == "cost budget exceeded: an estimated $0.03 spent, limit $0.02 (max_cost_usd)"


def test_the_real_package() -> None:
    """The prices of the real one are found by the names that agents give their models."""
    published = PublishedPrices()
    if not published.is_installed:
        pytest.skip("genai-prices is not installed")
    published.read()
    prices = Prices()
    assert prices.of("claude-sonnet-4-5-20250929", published.of) == ModelPrice(3.0, 15.0, 0.3, 3.75, 6.0)
    assert prices.of("openai/gpt-5-codex", published.of) == ModelPrice(1.25, 10.0, 0.125, 1.25)
    assert prices.of("gemini-2.5-pro", published.of) is not None
    assert prices.of("claude-opus-4-9", published.of) is None
    assert "genai_prices" not in sys.modules
