"""The page in a browser: what somebody sees of a run, and what they do with it by mouse and by keyboard."""

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from nova_async.web.server import listen_on
from nova_async.words import Outcome
from tests.views import attempt, by_id, run_view
from tests.web.conftest import Window
from tests.web.runs import HOSTILE, log_in, publish, said, write_run
from tests.web.serving import TOKEN, serving
from tests.web.shown_run import GATED, say, shown_run, written_to

NOTE_STATES = """() => {
    window.seen = new Set();
    const note = () => document.querySelectorAll(".tasks .state").forEach((each) => seen.add(each.innerText.trim()));
    new MutationObserver(note).observe(document.body, { childList: true, subtree: true, characterData: true });
}"""
MARKUP = "<img src=x onerror=alert(1)><script>alert(2)</script>"


async def test_a_run_is_seen_from_its_first_to_its_last_second(tmp_path: Path, window: Window) -> None:
    """The demo's: the page is open before it begins, and shows its end, without being loaded again."""
    folder = tmp_path / "demo"
    folder.mkdir()
    async with serving(folder) as served:
        page = await window(served)
        await page.see("h1", "No run here yet")
        await page.ask("() => { window.stays = true }")
        await page.ask(NOTE_STATES)
        command = [sys.executable, "-m", "nova_async", "demo", "--dir", str(folder), "--speed", "8", "--plain"]
        with (tmp_path / "said").open("w") as said_there:
            demo = await asyncio.create_subprocess_exec(*command, stdout=said_there, stderr=said_there)
        await page.see("h1", "Bookmarks, a small web service")
        await page.see(".running li")
        await page.see(".alive .pill", "completed")
        assert await demo.wait() == 0
        await page.until("() => document.querySelectorAll('.tasks .state.good').length === 12")
        assert await page.see(".sentence", "12 of 12 completed")
        assert await page.see(".milestones", "Half of the way is done.")
        await page.until("() => document.querySelectorAll('.timeline .line').length === 12")
        seen = await page.ask("() => [...window.seen]")
        assert {word.split()[-1] for word in seen} >= {"running", "waiting", "completed"}
        assert await page.ask("() => window.stays")


async def test_a_conversation_grows_as_the_agent_speaks(tmp_path: Path, window: Window) -> None:
    """Each line is there once, in its order, whether the page was there when it came or not; so is the raw log."""
    rows = 'ID | What | Deps\n A1 | while read x; do echo "$x"; done < fifo | -'
    async with shown_run(rows, tmp_path) as (run, served):
        speaking = await written_to(run, "A1")
        with speaking:
            await say(speaking, "first")
            page = await window(served)
            await page.go("task/A1")
            await page.see(".conversation .entry", "first")
            for number in range(20):
                await say(speaking, f"line {number}")
                await page.see(".conversation .entry", f"line {number}")
            await page.go("task/A1/raw")
            await page.see(".raw pre", "line 19")
            await say(speaking, "last")
            await page.see(".raw pre", "last")
            await page.go("task/A1/conversation")
            await page.see(".conversation .entry", "last")
        await run.running
        await page.see(".task .pill", "completed")
        lines = await page.ask("() => [...document.querySelectorAll('.entry .said')].map((each) => each.innerText)")
        assert lines == ["first", *(f"line {number}" for number in range(20)), "last"]


async def test_a_page_survives_a_restart_of_its_server(tmp_path: Path, window: Window) -> None:
    """It says that it is disconnected, connects again by itself, and shows what has happened meanwhile, once."""
    rows = 'ID | What | Deps\n A1 | while read x; do echo "$x"; done < fifo | -\n B1 | true | A1'
    async with shown_run(rows, tmp_path) as (run, first):
        page = await window(first)
        await page.go("task/A1")
        await page.see(".task .pill", "running")
        await page.ask("() => { window.stays = true }")
        with await written_to(run, "A1") as speaking:
            await say(speaking, "before")
            await page.see(".conversation .entry", "before")
            first.ended.set()
            first.server.stop()
            await page.see(".banner", "Disconnected")
            await say(speaking, "meanwhile")
            async with serving(tmp_path, listen_on(first.port), state=tmp_path / "state.json"):
                await page.miss(".banner")
                await page.see(".conversation .entry", "meanwhile")
                await say(speaking, "after")
                await page.see(".conversation .entry", "after")
                lines = "() => [...document.querySelectorAll('.entry .said')].map((each) => each.innerText)"
                assert await page.ask(lines) == ["before", "meanwhile", "after"]
                await page.see(".task .pill", "running")
                speaking.close()
                await run.running
                await page.go("")
                await page.see(".alive .pill", "completed")
                assert await page.ask("() => document.querySelectorAll('.tasks .state').length") == 2
                assert await page.ask("() => window.stays")


async def test_hostile_text_stays_text(tmp_path: Path, window: Window) -> None:
    """In names, errors, activity, output and ids: nothing becomes markup, runs, or acts on the text around it."""
    known = await write_run(tmp_path)
    log = log_in(tmp_path, "T2.log", said(HOSTILE + MARKUP) + f"{HOSTILE}{MARKUP}\n".encode())
    text = MARKUP + HOSTILE
    failed = (attempt("T1", 1, Outcome.AGENT_ERROR, log=log, error=text),)
    tasks = by_id(*(
        replace(task, name=text, branch=text, group=text, error=text, log=log, attempts=failed, result=text)
        for task in known.values()
    ))  # fmt: skip
    await publish(tmp_path, run_view(project=text, warnings=(text,)), tasks)
    async with serving(tmp_path) as served:
        page = await window(served)
        await page.see("h1", "<img")
        for path in ("", "graph", *(f"task/T2{tab}" for tab in ("", "/raw", "/attempts", "/prompt")), "runs", "plan"):
            await page.go(path)
            await page.see("h1, h2")
            assert (
                await page.ask("() => document.querySelectorAll('#app img, #app script, #app [onerror]').length") == 0
            )
            shown = await page.ask("() => document.body.innerText + document.title")
            assert not set("\x1b\x07\u202e\x00") & set(shown), path
        await page.go("task/T2")
        assert MARKUP in await page.see(".entry", "alert(2)")
        await page.go("task/T2/raw")
        assert MARKUP in await page.see(".raw pre", "alert(2)")


async def test_without_the_token_the_page_says_what_to_do(tmp_path: Path, window: Window) -> None:
    """It shows nothing of the run, and takes the token or the whole address."""
    await write_run(tmp_path)
    async with serving(tmp_path) as served:
        page = await window(served)
        await page.see("#tasks")
        await page.do(lambda shown: shown.context.clear_cookies())
        await page.do(lambda shown: shown.reload())
        await page.see("h1", "Open the address that nova serve printed")
        await page.do(lambda shown: shown.fill("#token", "wrong"))
        await page.press("Enter")
        await page.see("[role=alert]", "not the token")
        await page.do(lambda shown: shown.fill("#token", f"http://127.0.0.1/#token={TOKEN}"))
        await page.press("Enter")
        await page.see("#tasks")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_no_fault(tmp_path: Path, window: Window, scheme: str) -> None:
    """Contrast, names, roles, order: on every page, at a desk and on a telephone."""
    axe = (Path(__file__).parent / "axe/axe.min.js").read_text()
    async with shown_run(GATED, tmp_path) as (_, served):
        page = await window(served, color_scheme=scheme)
        only = {} if scheme == "light" else {"runOnly": ["color-contrast"]}  # nothing else differs
        await page.see("#row-B1", "failed")
        await page.ask(axe)
        for width, path in (
            (1280, ""), (1280, "graph"), (1280, "task/A1"), (1280, "task/B1/attempts"), (1280, "task/B1/prompt"),
            (1280, "cost"), (1280, "runs"), (1280, "plan"), (320, ""), (320, "task/A1"),
        ):  # fmt: skip
            await page.do(lambda shown, width=width: shown.set_viewport_size({"width": width, "height": 700}))  # type: ignore[misc]
            await page.go(path)
            await page.see("h1")
            found = await page.ask("only => axe.run(document, { resultTypes: ['violations'], ...only })", only)
            faults = [(fault["id"], fault["nodes"][0]["html"]) for fault in found["violations"]]
            assert not faults, (path, width, faults)
            assert await page.ask("() => document.documentElement.scrollWidth <= innerWidth"), (path, width)
