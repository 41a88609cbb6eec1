"""Draws docs/page.png: ``python -m tests.picture_of_the_page`` runs the demo and takes a picture of its page.

Taken when six of its tasks are completed and three run, one of them for the second time.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from tests.web.browser import Browser, browser_running, found_chromium
from tests.web.serving import TOKEN, serving

PICTURE = Path(__file__).parents[1] / "docs/page.png"
WIDTH, HEIGHT = 1100, 1000  # pixels
SHOWS_MUCH = """() => {
    const { head, tasks } = nova.state();
    if (head?.is_over) return "over";
    const at_work = [...tasks.values()].filter(({ now }) => now.nova.state === "in_progress");
    const is_again = at_work.some(({ now }) => now.nova.attempt === 2);
    return head?.board.total.completed === 6 && at_work.length === 3 && is_again
        && at_work.every(({ look }) => look.doing && look.tokens) && document.querySelector(".timeline .line") && "now";
}"""


async def take_picture(browser: Browser) -> bytes | None:
    """Run the demo, and return a picture of its page at a moment that shows much; None if there was no such moment."""
    with tempfile.TemporaryDirectory(prefix="nova-picture-") as folder:
        async with serving(Path(folder)) as served:
            page = await browser.open(
                f"http://127.0.0.1:{served.port}/#token={TOKEN}", viewport={"width": WIDTH, "height": HEIGHT}
            )
            demo = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "nova_async", "demo", "--dir", folder, "--plain"),
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )
            try:
                await page.ask("async () => { window.nova = (await import('/static/app.js')).nova }")
                await page.until(SHOWS_MUCH)
                taken = await page.do(lambda shown: shown.screenshot(full_page=False))
                return taken if await page.ask(SHOWS_MUCH) == "now" else None
            finally:
                await page.close()
                if demo.returncode is None:
                    demo.terminate()
                await demo.wait()


def main() -> None:
    """Take the picture and write it."""
    chromium = found_chromium()
    if chromium is None:
        sys.exit("no Chromium on PATH: apt-get install chromium")
    with browser_running(chromium) as browser:
        picture = None
        while picture is None:  # the demo is a little different each time
            picture = asyncio.run(take_picture(browser))
    PICTURE.write_bytes(picture)


if __name__ == "__main__":
    main()
