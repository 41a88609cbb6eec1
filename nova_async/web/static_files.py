"""The files of the page itself, by their names: nothing else on the disk has one."""

import hashlib
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from nova_async._core.threads import in_thread
from nova_async.web.answers import problem

__all__ = ["page", "static_file"]

FOLDER = Path(__file__).parent / "static"
KINDS = {
    ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml", ".txt": "text/plain; charset=utf-8", ".woff2": "font/woff2", ".png": "image/png",
}  # fmt: skip


async def static_file(request: Request) -> Response:
    """Answer with a file of the page."""
    return await answer(request, request.path_params["name"])


async def page(request: Request) -> Response:
    """Answer with the page."""
    return await answer(request, "index.html")


async def answer(request: Request, name: str) -> Response:
    """Answer with a file; the browser asks each time whether it is still the same."""
    found = await in_thread(read, name)
    if found is None:
        return problem(404, "there is no such file")
    kind, content = found
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {"cache-control": "no-cache", "etag": tag}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(content, headers={**headers, "content-type": kind})


def read(name: str) -> tuple[str, bytes] | None:
    """Return what kind of file has a name, and its content; None if none has it."""
    path = files().get(name)
    return (KINDS[path.suffix], path.read_bytes()) if path is not None else None


def files() -> dict[str, Path]:
    """Return the files by their names below ``/static/``; what is no plain file of a known kind has none."""
    return {
        path.relative_to(FOLDER).as_posix(): path
        for path in FOLDER.rglob("*") if path.suffix in KINDS and path.is_file() and not path.is_symlink()
    }  # fmt: skip
