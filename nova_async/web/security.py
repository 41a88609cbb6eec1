"""Who may ask what: a check before every route, and headers on every answer.

The page shows what agents have printed and can stop their work, so a stranger's page in the same browser, another user
of the machine and another program behind the same browser must all be kept out.
"""

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, final
from urllib.parse import parse_qsl

from nova_async.web.token import is_token

__all__ = ["COOKIE_PATH", "Guard", "Refusal", "Request", "cookie_name", "judge"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

SESSION = "/api/v1/session"
COOKIE_PATH = "/api"
# The names of this machine to itself. A page that a name of its own leads to us (DNS rebinding) sends that name.
# Any port, for `ssh -L` gives us another one than we listen on.
OUR_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
SAFE = frozenset({"GET", "HEAD"})
OURS = frozenset({"same-origin", "none"})  # what a browser says of a request by our page, or by the person
PUBLIC = ("/", "/static/")  # the page itself, which holds nothing of any run

CONTENT_POLICY = "; ".join((
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'",
    "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'",
    "trusted-types 'none'",
))  # fmt: skip
HEADERS = {
    "content-security-policy": CONTENT_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",  # to browsers that do not know frame-ancestors
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}
"""On every answer; no route may take one away."""


@final
@dataclass(frozen=True, slots=True)
class Request:
    """What of a request decides whether it is answered."""

    method: str
    path: str
    query: str
    headers: Mapping[str, tuple[str, ...]]
    """By their names in lower case, each with all its values."""

    def header(self, name: str) -> str | None:
        """Return the value of a header; None if it is not there."""
        values = self.headers.get(name, ())
        return values[0] if values else None


@final
@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not answered."""

    status: int
    text: str


def judge(request: Request, token: str) -> Refusal | None:
    """Say why a request must not be answered; None if it may."""
    return wrong_host(request) or wrong_method(request) or wrong_origin(request) or wrong_token(request, token)


def wrong_host(request: Request) -> Refusal | None:
    """Refuse what is not addressed to this machine by a name that only this machine has."""
    hosts = request.headers.get("host", ())
    if len(hosts) == 1 and name_in(hosts[0]) in OUR_NAMES:
        return None
    return Refusal(421, "this page answers to localhost, 127.0.0.1 and [::1] only: open it by one of these names")


def name_in(host: str) -> str:
    """Return the name in a Host header, without its port; empty if it is none."""
    name, colon, port = host.rpartition(":")
    if not colon or host.endswith("]"):
        return host.lower()
    return name.lower() if port.isascii() and port.isdigit() else ""


def wrong_method(request: Request) -> Refusal | None:
    """Refuse all methods but three: what is read by GET changes nothing, and what changes something is a POST."""
    if request.method in SAFE or request.method == "POST":
        return None
    return Refusal(405, "only GET, HEAD and POST are answered here")


def wrong_origin(request: Request) -> Refusal | None:
    """Refuse what another site's page asks for, as browsers tell; a program tells nothing of the kind."""
    if is_public(request):
        return None  # a link on another page, or in a mail, may lead to our page
    foreign = Refusal(403, "this was asked for by a page of another site: only nova's own page may")
    site, origin = request.header("sec-fetch-site"), request.header("origin")
    if site is not None and site not in OURS:
        return foreign
    if origin is not None and origin not in own_origins(request):
        return foreign
    if request.method in SAFE or bearer_of(request) is not None:
        return None
    if site is None and origin is None and request.path != SESSION:
        # With the cookie alone: every browser says where a POST comes from.
        return Refusal(403, "say where this POST comes from (Origin), or send the token as Authorization: Bearer")
    return None


def own_origins(request: Request) -> tuple[str, ...]:
    """Return what a browser names as the origin of our own page."""
    host = (request.header("host") or "").lower()
    return (f"http://{host}", f"https://{host}")


def wrong_token(request: Request, token: str) -> Refusal | None:
    """Refuse what does not show the token, which is never taken from an address: these stand in histories and logs."""
    if any(name == "token" or is_token(token, value) for name, value in parse_qsl(request.query)):
        return Refusal(400, "a token must not stand in an address: send it as Authorization: Bearer")
    if is_public(request) or request.path == SESSION:
        return None
    said = bearer_of(request)
    shown = cookies_of(request) if said is None else [said]
    if not shown:
        return Refusal(401, "send the token that `nova serve` printed as Authorization: Bearer, or open its address")
    if not any([is_token(token, each) for each in shown]):  # noqa: C419 - each, whatever the others are
        return Refusal(401, "this token is not, or no longer, valid: open the address that `nova serve` printed last")
    return None


def is_public(request: Request) -> bool:
    """Tell whether it is the page itself that is asked for."""
    page, files = PUBLIC
    return request.method in SAFE and (request.path == page or request.path.startswith(files))


def bearer_of(request: Request) -> str | None:
    """Return the token that a program sends."""
    kind, _, said = (request.header("authorization") or "").partition(" ")
    return said.strip() if kind.lower() == "bearer" else None


def cookie_name(request: Request) -> str:
    """Return what our cookie is called: browsers do not tell the ports of one host apart, so the name has the port."""
    port = (request.header("host") or "").rpartition(":")[2]
    return f"nova_{port if port.isascii() and port.isdigit() else 0}"


def cookies_of(request: Request) -> list[str]:
    """Return the tokens that our page's browser sends: another server of this machine may have set one of the name.

    No cookie of anybody else makes it lose ours, however it is written.
    """
    pairs = (pair.strip().partition("=") for line in request.headers.get("cookie", ()) for pair in line.split(";"))
    return [value for name, _, value in pairs if name == cookie_name(request)]


@final
class Guard:
    """Answers for an application only what may be answered, and puts our headers on everything."""

    def __init__(self, app: App, token: str) -> None:
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = with_ours(message.get("headers", ()))
            await send(message)

        refusal = judge(request_of(scope), self._token)
        if refusal is not None:
            return await refuse(refusal, send_with_headers)
        return await self._app(scope, receive, send_with_headers)


def request_of(scope: Scope) -> Request:
    """Return what of a request decides."""
    headers: dict[str, tuple[str, ...]] = {}
    for name, value in scope["headers"]:
        key = name.decode("latin-1").lower()
        headers[key] = (*headers.get(key, ()), value.decode("latin-1"))
    return Request(scope["method"], scope["path"], scope.get("query_string", b"").decode("latin-1"), headers)


def with_ours(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return headers with ours in the place of any of the same name."""
    theirs = [(name, value) for name, value in headers if name.decode("latin-1").lower() not in HEADERS]
    return [*theirs, *((name.encode(), value.encode()) for name, value in HEADERS.items())]


async def refuse(refusal: Refusal, send: Send) -> None:
    """Answer with the reason. The connection ends: a body may be on its way that nobody will read."""
    body = json.dumps({"error": refusal.text}).encode()
    headers = [
        (b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), (b"connection", b"close"),
        (b"cache-control", b"no-store"),
    ]  # fmt: skip
    if refusal.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
