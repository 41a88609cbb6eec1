"""Usage limits on the page: how full they are, until when tasks wait for them, and what waits for somebody."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from nova_async.views import GaugeView, Hold, TaskView
from nova_async.words import Outcome, TaskState
from tests.views import by_id, run_view
from tests.web.conftest import Window
from tests.web.runs import publish
from tests.web.serving import serving

W = TaskState.WAITING


async def test_limits_with_their_resets_and_what_waits_for_somebody(tmp_path: Path, window: Window) -> None:
    """Whose limit it is and which, how full in words, its reset as a time and a countdown; held tasks have a button."""
    now = datetime.now(UTC)
    soon, past = now + timedelta(minutes=72, seconds=5), now - timedelta(minutes=1)
    gauge = {"agent": "claude", "kind": "five_hour"}
    view = run_view(
        pid=os.getpid(), started_at=past,
        holds=(Hold(agent="claude", program="claude", outcome=Outcome.LIMIT, error="", cure="", kind="five_hour",
                    until=soon),),
        gauges=(GaugeView(**gauge, used=0.62, resets_at=soon), GaugeView(**gauge, used=0.31, resets_at=past),
                GaugeView(agent="codex", kind="seven_day", used=0.875, next_start_at=now + timedelta(seconds=110))),
    )  # fmt: skip
    waits = {"reason": "waits for the usage limit of claude", "retry_at": soon}
    tasks = by_id(
        TaskView(id="L1", state=W, **waits), TaskView(id="L2", state=W, **waits),
        TaskView(id="H1", state=W, reason="gemini is not logged in"),
        TaskView(id="H2", state=W, reason="gemini is not logged in"),
    )  # fmt: skip
    await publish(tmp_path, view, tasks)
    async with serving(tmp_path) as served:
        page = await window(served)
        reached = await page.see(".tile", "Reached: 5-hour limit")
        assert "waits for the usage limit of claude until" in reached
        assert "(in 1 h 12 min)" in reached
        assert "2 tasks wait: - L1 - L2" in " ".join(reached.split())
        gauges = await page.ask("() => [...document.querySelectorAll('.tile.limit')].map(each => each.innerText)")
        assert len(gauges) == 3, "one has reset"
        assert "codex: 87 % of its weekly limit used" in gauges[1], "the fullest first"
        assert "next start" in gauges[1]
        assert "claude: 62 % of its 5-hour limit used" in gauges[2]
        assert "resets" in gauges[2]
        await page.until(
            """() => {
            const left = document.body.innerText.match(/next start [0-9:]+ \\(in 1 min (\\d+) s\\)/)[1];
            window.first ??= left;
            return left !== window.first;
        }"""
        )
        await page.click(".need button:has-text('Run all 2 again')")
        await page.see(".notice", "no run is running here")
        await page.click("#row-H1 a")
        await page.see("header.top button", "Run again")
