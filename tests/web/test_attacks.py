"""Who must not see the page, and what must not happen to whoever may: each over a real socket."""

import json
from itertools import product

from tests.web.serving import TOKEN, Served

BEARER = f"Authorization: Bearer {TOKEN}\r\n"
REAL_HOSTS = ["localhost", "127.0.0.1", "[::1]", "LOCALHOST", "localhost:1", "127.0.0.1:65535", "[::1]:8080"]
FOREIGN_HOSTS = [
    "evil.example", "evil.example:6682", "localhost.evil.example", "127.0.0.1.evil.example", "evil.example#localhost",
    "localhost@evil.example", "0.0.0.0", "127.0.0.2", "[::]", "2130706433", "localhost:6682:evil", "localhost:x", "",
    "localhost, evil.example", "::1", "localhost.",
]  # fmt: skip
FOREIGN_ORIGINS = [
    "http://evil.example", "null", "", "http://localhost", "http://127.0.0.1", "http://localhost.evil.example:{port}",
    "http://127.0.0.1:1", "file://", "http://127.0.0.1:{port}.evil.example", "chrome-extension://abc",
]  # fmt: skip
PATHS = [
    "/", "/static/app.js", "/api/v1/run", "/api/v1/events", "/api/v1/session", "/api/status", "/nothing",
    "/api/v1/tasks/T1", "/api/v1/runs/r1", "/metrics",
]  # fmt: skip


def request(
    path: str, headers: str = BEARER, *, method: str = "GET", host: str | None = "localhost", body: str = ""
) -> bytes:
    """Write a request as a browser or an attacker would."""
    named = f"Host: {host}\r\n" if host is not None else ""
    length = f"Content-Length: {len(body)}\r\n" if method == "POST" else ""
    return f"{method} {path} HTTP/1.1\r\n{named}{headers}{length}Connection: close\r\n\r\n{body}".encode()


async def test_our_own_names_are_answered(served: Served) -> None:
    """By whichever name and port this machine is called, as `ssh -L` does."""
    for host in REAL_HOSTS:
        status, _ = await served.raw(request("/api/v1/run", host=host))
        assert status == 200, host


async def test_a_foreign_name_is_refused(served: Served) -> None:
    """A name of somebody else that leads to this machine gets nothing, not even with the token."""
    for host, path in product(FOREIGN_HOSTS, ("/", "/api/v1/run", "/api/v1/session")):
        status, answer = await served.raw(request(path, host=host))
        assert status in (400, 421), host
        assert b"T1" not in answer


async def test_two_names_are_refused(served: Served) -> None:
    """A request with two hosts, or none, is nobody's."""
    for headers in ("Host: localhost\r\nHost: evil.example\r\n", ""):
        status, _ = await served.raw(f"GET /api/v1/run HTTP/1.1\r\n{headers}{BEARER}Connection: close\r\n\r\n".encode())
        assert status in (400, 421)
    status, _ = await served.raw(f"GET /api/v1/run HTTP/1.0\r\n{BEARER}\r\n".encode())
    assert status == 421


async def test_another_sites_page_is_refused(served: Served) -> None:
    """A page of any other origin, another port of this machine included, neither reads nor does anything."""
    for origin, method, path in product(FOREIGN_ORIGINS, ("GET", "POST"), ("/api/v1/run", "/api/v1/session")):
        headers = f"{BEARER}Origin: {origin.format(port=served.port)}\r\n"
        status, answer = await served.raw(request(path, headers, method=method, host=f"127.0.0.1:{served.port}"))
        assert status == 403, origin
        assert b"T1" not in answer


async def test_what_a_browser_says_is_believed(served: Served) -> None:
    """Without an Origin, a browser still says whose page asks: another port of this machine is not ours."""
    for site, method in product(("cross-site", "same-site", "", "nonsense"), ("GET", "POST")):
        status, _ = await served.raw(request("/api/v1/run", f"{BEARER}Sec-Fetch-Site: {site}\r\n", method=method))
        assert status == 403


async def test_a_post_with_the_cookie_alone_says_where_it_comes_from(served: Served) -> None:
    """With the cookie, which a browser adds by itself, saying nothing is as good as saying something foreign."""
    host, cookie = f"127.0.0.1:{served.port}", f"Cookie: nova_{served.port}={TOKEN}\r\n"
    for headers, expected in (
        ("", 403),
        ("Sec-Fetch-Site: same-origin\r\n", 405),  # let through: /run takes no POST
        (f"Origin: http://{host}\r\n", 405),
        ("Origin: http://evil.example\r\n", 403),
        ("Sec-Fetch-Site: same-origin\r\nOrigin: http://evil.example\r\n", 403),
    ):
        status, _ = await served.raw(request("/api/v1/run", cookie + headers, method="POST", host=host))
        assert status == expected, headers


WITHOUT_TOKEN = [
    "",
    "Authorization: Bearer\r\n",
    "Authorization: Bearer x\r\n",
    f"Authorization: Basic {TOKEN}\r\n",
    f"Authorization: Bearer {TOKEN[:-1]}\r\n",
    f"Authorization: Bearer {TOKEN}0\r\n",
    f"Authorization: Bearer {TOKEN.swapcase()}\r\n",
    "Authorization: Bearer \xff\xfe\r\n",
    f"Cookie: nova={TOKEN}\r\n",
    f"Cookie: nova_1={TOKEN}\r\n",
    "Cookie: nova_0=wrong\r\n",
    f"X-Token: {TOKEN}\r\n",
]


async def test_without_the_token_nothing_is_told(served: Served) -> None:
    """Every route of the API asks for it, whether or not there is anything behind it."""
    paths = ("/api/v1/run", "/api/v1/events", "/api/status", "/api/v1/tasks/T1/attempts/1/log", "/api/nothing")
    for headers, path in product(WITHOUT_TOKEN, paths):
        status, answer = await served.raw(request(path, headers))
        assert status == 401, (path, headers)
        assert b"www-authenticate: bearer" in answer.lower()


async def test_a_token_in_the_address_is_refused(served: Served) -> None:
    """It would stand in histories and logs; so it is refused even beside the right header."""
    for query in (f"token={TOKEN}", f"x={TOKEN}", "token=anything", f"from=1&TOKEN={TOKEN}"):
        status, answer = await served.raw(request(f"/api/v1/run?{query}"))
        assert status == 400
        assert TOKEN.encode() not in answer


async def test_the_page_gets_a_cookie_for_the_token(served: Served) -> None:
    """One that scripts cannot read and other sites' requests do not carry; it opens what the token opens."""
    host = f"127.0.0.1:{served.port}"
    own = f"Origin: http://{host}\r\nContent-Type: application/json\r\n"
    status, answer = await served.raw(
        request("/api/v1/session", own, method="POST", host=host, body=json.dumps({"token": TOKEN}))
    )
    assert status == 200
    [cookie] = [line for line in answer.decode().split("\r\n") if line.lower().startswith("set-cookie:")]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Path=/api" in cookie
    shown = cookie.split(": ", 1)[1].split(";")[0]
    for cookies in (shown, f'bad={{"a": 1}}; {shown}', f"nova_{served.port}=forged; {shown}"):
        status, _ = await served.raw(request("/api/v1/run", f"Cookie: {cookies}\r\n", host=host))
        assert status == 200, cookies
    for body in ('{"token": "wrong"}', "{}", "[]", "nonsense", '{"token": 1}', '{"token": "\\ud800"}', "[" * 50_000):
        status, answer = await served.raw(request("/api/v1/session", own, method="POST", host=host, body=body))
        assert status in (400, 401), body[:20]
        assert b"set-cookie" not in answer.lower()


TRICKS = [
    "..", "../T1", "..%2f..%2fetc%2fpasswd", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "..%5c..%5cetc", "%00", "T1%00",
    "T1.log", "T1~1", "%2fetc%2fpasswd", "logs%2fT1", "T1%2f..%2fT1", "..%252f..%252fetc%252fpasswd", "%c0%ae%c0%ae",
    "T1/../T1", "", "T" * 5000, "%0d%0aSet-Cookie:%20a=b",
]  # fmt: skip
PLACES = [
    "/api/v1/tasks/{}/attempts/1/log", "/api/v1/tasks/{}/attempts/1/conversation", "/api/v1/tasks/{}",
    "/api/tasks/{}/logs", "/static/{}", "/static/../{}", "/static/{}/../../app.py",
]  # fmt: skip


async def test_no_path_leads_out(served: Served) -> None:
    """A log is found by the task's id and the attempt's number; nothing in an address is a path on the disk."""
    (served.folder / "secret").write_text("SECRET")
    for name, place in product(TRICKS, PLACES):
        status, answer = await served.raw(request(place.format(name)))
        assert status in (400, 404), (place, name)
        assert b"SECRET" not in answer
        assert b"root:" not in answer
        assert b"\r\nset-cookie" not in answer.lower()
    for number in ("0", "-1", "1.0", "1e3", "x", "٣", "9" * 30, "1%00", "..%2f1"):
        status, _ = await served.raw(request(f"/api/v1/tasks/T1/attempts/{number}/log".replace("٣", "%D9%A3")))
        assert status in (400, 404), number


async def test_a_log_that_is_another_file_is_not_given(served: Served) -> None:
    """A link or another file in a log's place, as a repository may bring one, is not the log."""
    log = served.folder / "logs" / "T1.log"
    log.rename(served.folder / "elsewhere")  # not removed: another file could get its inode
    (served.folder / "secret").write_text("SECRET")
    log.symlink_to(served.folder / "secret")
    status, answer = await served.raw(request("/api/v1/tasks/T1/attempts/2/log"))
    assert status == 404
    assert b"SECRET" not in answer


async def test_what_agents_print_is_data(served: Served) -> None:
    """Tags, control characters and directions in a name, an error or an output come as JSON in which none acts."""
    for path in ("run", "tasks/T2", "tasks/T2/attempts/1/conversation", "cost", "runs"):
        answer = await served.client.get(f"/api/v1/{path}")
        assert answer.headers["content-type"] == "application/json"
        for char in "<\x1b\x00\u202e\x07":
            assert char not in answer.text, path
    assert (await served.json("run"))["tasks"]["T2"]["nova"]["name"].startswith("</script>")
    entries = (await served.json("tasks/T2/attempts/1/conversation"))["entries"]
    assert [entry["text"] for entry in entries if entry["kind"] == "text"] == ["</script><script>alert(1)</script>"]
    log = await served.client.get("/api/v1/tasks/T2/attempts/1/log")
    assert log.headers["content-type"].startswith("text/plain")
    assert log.headers["x-content-type-options"] == "nosniff"


async def test_every_answer_has_the_headers(served: Served) -> None:
    """Found, refused or failed: no answer of any route lacks the policy, and the policy allows nothing unsafe."""
    methods = ("GET", "HEAD", "POST", "PUT", "OPTIONS")
    for path, headers, method in product(PATHS, (BEARER, "", f"{BEARER}Origin: null\r\n"), methods):
        if (path, headers, method) != ("/api/v1/events", BEARER, "GET"):  # that one does not end
            _, answer = await served.raw(request(path, headers, method=method))
            head = answer.split(b"\r\n\r\n")[0].decode().lower()
            assert "content-security-policy: default-src 'none'; script-src 'self'" in head, (path, method)
            assert "frame-ancestors 'none'" in head
            assert "unsafe" not in head
            assert "x-content-type-options: nosniff" in head
            assert "referrer-policy: no-referrer" in head
            assert "cross-origin-resource-policy: same-origin" in head
            assert "access-control-allow" not in head
            assert "server:" not in head
    async with served.events():
        pass


async def test_other_methods_are_refused(served: Served) -> None:
    """Nothing but GET, HEAD and POST is answered, on any route."""
    for method, path in product(("PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "CONNECT", "NONSENSE"), PATHS):
        status, _ = await served.raw(request(path, method=method))
        assert status == 405, (method, path)


async def test_every_error_is_one_sentence(served: Served) -> None:
    """As JSON, whatever is wrong."""
    for path in (
        "nothing",
        "tasks/T9",
        "tasks/T1/attempts/7/log",
        "tasks/T1/attempts/x/log",
        "tasks/T3/attempts/1/log",
    ):
        answer = await served.client.get(f"/api/v1/{path}")
        assert answer.status_code in (400, 404)
        assert list(answer.json()) == ["error"]
        assert answer.json()["error"]
