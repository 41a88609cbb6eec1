"""Keep an agent within a budget, in two ways: a loop of your own, and ``Limits``.

The loop decides after every line of output, so it can use any rule; here it ends the agent over a number of output
tokens. ``Limits`` does the two usual rules by itself and says so in ``worker.end``. Claude tells its cost only in its
final result; so a budget that must hold *during* the run is one of tokens. Runs anywhere:

    uv run python docs/examples/budget_watch.py
"""

import asyncio
import sys
from pathlib import Path

from nova_async import AsyncWorker, Limits

AGENT = [sys.executable, str(Path(__file__).with_name("recorded_agent.py"))]
OUTPUT_BUDGET = 2_000  # tokens
TOKEN_BUDGET = 40_000  # of all four kinds
COST_BUDGET = 5.00  # US dollars


async def watched_by_a_loop() -> None:
    """End the agent as soon as our own rule says so."""
    async with AsyncWorker("watched", agent="claude") as worker:
        await worker.start(AGENT)
        async for _ in worker.lines():
            used, cost = worker.get_token_usage(), worker.report.cost_usd
            if used["output_tokens"] > OUTPUT_BUDGET or (cost or 0) > COST_BUDGET:
                print(f"loop: {used['output_tokens']:,} output tokens, budget {OUTPUT_BUDGET:,}: ending it")
                await worker.terminate()
                break
        await worker.wait()
        sure = "the agent's own total" if worker.report.usage_is_final else "counted up to its end"
        print(f"loop: {worker.status}, {worker.end}: {worker.get_token_usage()['output_tokens']:,} output ({sure})")


async def watched_by_limits() -> None:
    """Let the worker itself keep the budget."""
    limits = Limits(max_tokens=TOKEN_BUDGET, max_cost_usd=COST_BUDGET, timeout=600)
    async with AsyncWorker("limited", agent="claude", limits=limits) as worker:
        await worker.start(AGENT)
        await worker.wait()
        print(f"limits: {worker.status}, {worker.end}: {worker.error}")


async def main() -> None:
    """Show both."""
    await watched_by_a_loop()
    await watched_by_limits()


if __name__ == "__main__":
    asyncio.run(main())
