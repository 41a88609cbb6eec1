"""What the page's server answers, route by route."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Protocol, final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request as WebRequest
from starlette.responses import Response
from starlette.routing import Route

from nova_async._core.threads import in_thread
from nova_async.control.board import Board
from nova_async.control.protocol import Request
from nova_async.control.shown import graph_document, timeline_document
from nova_async.errors import NovaError
from nova_async.journal.log_files import why_no_log
from nova_async.journal.state_document import run_document, task_document
from nova_async.web import security
from nova_async.web.actions import RUN_ACTIONS, TASK_ACTIONS, ActionError, request_for
from nova_async.web.answers import bytes_answer, json_answer, problem, said_in
from nova_async.web.conversation import PART, Conversations, document
from nova_async.web.feed import MOST_FEEDS, Feed, Stream
from nova_async.web.logs import log_answer
from nova_async.web.metrics import METRICS_TYPE, metrics
from nova_async.web.opening import opened
from nova_async.web.original import original_logs, original_status, original_task
from nova_async.web.picture import Picture
from nova_async.web.source import Source, show
from nova_async.web.static_files import page, static_file
from nova_async.web.token import is_token

__all__ = ["Documents", "Page", "application"]

RELOAD_SECONDS = 5.0  # for a browser to come back
MOST_LOGS = 8  # whose growth one page is told of


class Documents(Protocol):
    """What commands of ``nova`` tell as JSON, and the page too; each waits for the disk.

    Each raises ``NovaError`` with one sentence where there is nothing to tell.
    """

    def run(self, beginning: str) -> Board:
        """Return the run whose id begins so."""
        ...

    def task(self, task_id: str, run_id: str | None = None) -> Mapping[str, Any]:
        """Return all about a task; with ``run_id``, as it was in that run."""
        ...

    def cost(self, run_id: str | None = None) -> Any:
        """Return what the attempts have cost, of the plan or of one run."""
        ...

    def plan(self) -> Any:
        """Return the plan."""
        ...

    def runs(self) -> Any:
        """Return the runs of the past."""
        ...


@final
@dataclass(slots=True)
class Page:
    """What the routes share."""

    source: Source
    documents: Documents
    token: str
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    """Set to end the streams of all open pages."""
    conversations: Conversations = field(default_factory=Conversations)
    rendering: asyncio.Lock = field(default_factory=asyncio.Lock)
    feeds: int = 0
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set whenever somebody closes the page."""

    async def unwatched(self) -> None:
        """Wait until nobody has the page open; one that is loaded again counts as open meanwhile."""
        while self.feeds:
            self.closed.clear()
            await self.closed.wait()
            await asyncio.sleep(RELOAD_SECONDS)

    # What can be read.

    async def run(self, request: WebRequest) -> Response:
        """Answer with the run as it stands."""
        picture = self.source.picture
        if not picture.is_known:
            return problem(404, self.source.problem)
        await in_thread(picture.write)
        return bytes_answer(picture.snapshot())

    async def past_run(self, request: WebRequest) -> Response:
        """Answer with a run of the past, as with the run."""
        board = await self._board(request)
        return bytes_answer(await in_thread(written, board))

    async def events(self, request: WebRequest) -> Response:
        """Answer with what changes, without end."""
        if request.method == "HEAD":  # older versions of the library would begin a stream that nobody reads
            return Response(media_type="text/event-stream")
        if self.feeds >= MOST_FEEDS:
            return problem(503, f"{self.feeds} pages are open already: close some", {"retry-after": "30"})
        wanted = request.query_params.getlist("log")
        if len(wanted) > MOST_LOGS:
            return problem(400, f"the growth of at most {MOST_LOGS} logs is told")
        named = [name.rpartition("~") for name in wanted]
        logs = [(task_id, whole(number, "log")) for task_id, _, number in named]
        said = request.headers.get("last-event-id") or request.query_params.get("from") or ""
        feed = Feed(self.source, self.ended, last=int(said) if is_whole(said) else None, logs=logs)
        return Stream(self._counted(feed))

    async def _counted(self, feed: Feed) -> AsyncIterator[bytes]:
        self.feeds += 1
        try:
            async for event in feed.events():
                yield event
        finally:
            self.feeds -= 1
            self.closed.set()

    async def task(self, request: WebRequest) -> Response:
        """Answer with everything about a task."""
        task_id, board = request.path_params["task_id"], await self._board(request)
        if task_id not in board.tasks:
            return no_task(task_id)
        run_id = board.run.run_id if is_past(request) else None
        told = await in_thread(self.documents.task, task_id, run_id)
        return json_answer({**told, "now": task_document(board.tasks[task_id])})

    async def log(self, request: WebRequest) -> Response:
        """Answer with the log of an attempt, or a part of it."""
        task_id, number = request.path_params["task_id"], whole(request.path_params["number"], "attempt")
        board = await self._board(request)
        log = await opened(board, self.source.places, task_id, number)
        if log is None:
            return await self._no_log(board, task_id, number)
        is_read, is_kept = request.method != "HEAD", "download" in request.query_params
        return log_answer(log, request.headers.get("range"), is_read=is_read, is_kept=is_kept)

    async def conversation(self, request: WebRequest) -> Response:
        """Answer with a part of what an agent said and did."""
        task_id, number = request.path_params["task_id"], whole(request.path_params["number"], "attempt")
        begin = whole(request.query_params.get("from", "0"), "from", signed=True)
        most = whole(request.query_params.get("most", str(PART)), "most")
        until = request.query_params.get("until")
        last = whole(until, "until") if until is not None else None
        board = await self._board(request)
        log = await opened(board, self.source.places, task_id, number)
        if log is None:
            return await self._no_log(board, task_id, number)
        async with self.rendering:  # one part at a time: it takes a processor
            with log.file:
                shown = await in_thread(self.conversations.part, log, begin, most, last)
        return json_answer(document(log, shown))

    async def graph(self, request: WebRequest) -> Response:
        """Answer with where each task stands in a drawing."""
        return await self._drawn(request, graph_document)

    async def timeline(self, request: WebRequest) -> Response:
        """Answer with what each task did when, up to now."""
        return await self._drawn(request, timeline_document)

    async def _drawn(self, request: WebRequest, draw: Callable[[Board], Any]) -> Response:
        board = await self._board(request)
        async with self.rendering:
            return json_answer(await in_thread(draw, board.at(datetime.now(UTC))))

    async def _board(self, request: WebRequest) -> Board:
        """Return the run that a request is about: the one whose id its address begins, or else the current one."""
        if is_past(request):
            return await in_thread(self.documents.run, request.path_params["run_id"])
        if self.source.board is None:
            raise HTTPException(404, self.source.problem)
        return self.source.board

    async def metrics(self, request: WebRequest) -> Response:
        """Answer with what Prometheus reads."""
        text = await in_thread(metrics, self.source.board)
        return Response(text, headers={"cache-control": "no-store", "content-type": METRICS_TYPE})

    async def cost(self, request: WebRequest) -> Response:
        """Answer with what the attempts have cost."""
        return json_answer(await in_thread(self.documents.cost, request.path_params.get("run_id")))

    async def plan(self, request: WebRequest) -> Response:
        """Answer with the plan."""
        return json_answer(await in_thread(self.documents.plan))

    async def runs(self, request: WebRequest) -> Response:
        """Answer with the runs of the past."""
        return json_answer(await in_thread(self.documents.runs))

    # What the original answers.

    async def status(self, request: WebRequest) -> Response:
        """Answer with the run, as the original does."""
        if self.source.board is None:
            return problem(404, self.source.problem)
        return json_answer(await in_thread(original_status, self.source.board))

    async def original_task(self, request: WebRequest) -> Response:
        """Answer with a task, as the original does."""
        task_id = request.path_params["task_id"]
        task = self.source.board.tasks.get(task_id) if self.source.board is not None else None
        return no_task(task_id) if task is None else json_answer(original_task(task))

    async def original_logs(self, request: WebRequest) -> Response:
        """Answer with a task's latest log, as the original does."""
        task_id, lines = request.path_params["task_id"], request.query_params.get("lines")
        most = whole(lines, "lines") if lines else None
        board = await self._board(request)
        log = await opened(board, self.source.places, task_id)
        if log is None:
            return problem(404, f"{task_id} has no log") if task_id in board.tasks else no_task(task_id)
        with log.file:
            return json_answer(await in_thread(original_logs, log, most or None))

    # What can be told.

    async def session(self, request: WebRequest) -> Response:
        """Give the browser that shows the token a cookie, so that it need not keep the token where scripts see it."""
        said = await said_in(request)
        if not isinstance(said.get("token"), str) or not is_token(self.token, said["token"]):
            return problem(401, "this token is not valid: open the address that `nova serve` printed last")
        answer = json_answer({})
        name = security.cookie_name(security.request_of(request.scope))
        answer.set_cookie(name, self.token, path=security.COOKIE_PATH, httponly=True, samesite="strict")
        return answer

    def on_run(self, kind: type[Request]) -> Callable[[WebRequest], Awaitable[Response]]:
        """Return the route by which the run is asked to do something."""

        async def act(request: WebRequest) -> Response:
            return await self._act(kind, request)

        return act

    def on_task(self, kind: type[Request]) -> Callable[[WebRequest], Awaitable[Response]]:
        """Return the route by which the run is asked to do something with a task."""

        async def act(request: WebRequest) -> Response:
            task_id = request.path_params["task_id"]
            if self.source.picture.task(task_id) is None:
                return no_task(task_id)
            return await self._act(kind, request, task_id)

        return act

    async def _act(self, kind: type[Request], request: WebRequest, task_id: str | None = None) -> Response:
        try:
            asked = request_for(kind, await said_in(request), task_id)
        except ActionError as error:
            return problem(400, str(error))
        try:
            answer = await self.source.ask(asked)
        except NovaError as error:
            return problem(409, str(error))
        return json_answer({name: value for name, value in answer.items() if name not in ("kind", "id")})

    async def _no_log(self, board: Board, task_id: str, number: int) -> Response:
        task = board.tasks.get(task_id)
        if task is None:
            return no_task(task_id)
        return problem(404, await in_thread(why_no_log, task, number, self.source.places.log_dir))


def is_past(request: WebRequest) -> bool:
    """Tell whether an address names a run."""
    return "run_id" in request.path_params


def written(board: Board) -> bytes:
    """Write a run that nothing more is told of, as a picture writes it."""
    picture = Picture()
    show(board, run_document(board.run), picture)
    return picture.snapshot()


def no_task(task_id: str) -> Response:
    """Answer that there is no such task."""
    return problem(404, f"there is no task {task_id[:100]}")


def is_whole(text: str, *, signed: bool = False) -> bool:
    """Tell whether a text is a whole number that we can use."""
    digits = text.removeprefix("-") if signed else text
    return 0 < len(digits) < 19 and digits.isascii() and digits.isdigit()


def whole(text: str, what: str, *, signed: bool = False) -> int:
    """Read a whole number in an address. Raises ``HTTPException`` if it is none."""
    if not is_whole(text, signed=signed):
        raise HTTPException(400, f"{what} must be a whole number")
    return int(text)


def application(source: Source, documents: Documents, token: str) -> tuple[security.Guard, Page]:
    """Make the application, and what its routes share."""
    here = Page(source, documents, token)
    api, task = "/api/v1", "/api/v1/tasks/{task_id}"
    past = f"{api}/runs/{{run_id}}"
    of_a_run = {
        "tasks/{task_id}": here.task, "tasks/{task_id}/attempts/{number}/log": here.log,
        "tasks/{task_id}/attempts/{number}/conversation": here.conversation,
        "graph": here.graph, "timeline": here.timeline, "cost": here.cost,
    }  # fmt: skip
    routes = [
        Route("/", page, methods=["GET"]),
        Route("/static/{name:path}", static_file, methods=["GET"]),
        Route(f"{api}/session", here.session, methods=["POST"]),
        Route(f"{api}/run", here.run, methods=["GET"]),
        Route(f"{api}/events", here.events, methods=["GET"]),
        Route(past, here.past_run, methods=["GET"]),
        *(Route(f"{run}/{path}", answer, methods=["GET"]) for run in (api, past) for path, answer in of_a_run.items()),
        Route("/metrics", here.metrics, methods=["GET"]),
        Route(f"{api}/plan", here.plan, methods=["GET"]),
        Route(f"{api}/runs", here.runs, methods=["GET"]),
        *(Route(f"{api}/{name}", here.on_run(kind), methods=["POST"]) for name, kind in RUN_ACTIONS.items()),
        *(Route(f"{task}/{name}", here.on_task(kind), methods=["POST"]) for name, kind in TASK_ACTIONS.items()),
        Route("/api/status", here.status, methods=["GET"]),
        Route("/api/tasks/{task_id}", here.original_task, methods=["GET"]),
        Route("/api/tasks/{task_id}/logs", here.original_logs, methods=["GET"]),
    ]
    handlers: dict[Any, Callable[[WebRequest, Any], Awaitable[Response]]] = {
        HTTPException: told, NovaError: refused, Exception: failed,
    }  # fmt: skip
    app = Starlette(routes=routes, exception_handlers=handlers)
    app.router.redirect_slashes = False  # a redirect names our host in the words of whoever asks
    return security.Guard(app, token), here


async def told(request: WebRequest, error: HTTPException) -> Response:
    """Say what is wrong with a request."""
    usual = HTTPStatus(error.status_code).phrase
    text = {404: "there is nothing here", 405: "this cannot be asked in this way"}.get(error.status_code, error.detail)
    return problem(error.status_code, error.detail if error.detail != usual else text, error.headers)


async def refused(request: WebRequest, error: NovaError) -> Response:
    """Say why there is nothing to tell."""
    return problem(404, str(error))


async def failed(request: WebRequest, error: Exception) -> Response:
    """Say that this is our own fault; what it was stands on the standard error of ``nova serve``."""
    logging.getLogger(__name__).debug("failed", exc_info=error)
    return problem(500, "nova has made a mistake here: see what `nova serve` printed")
