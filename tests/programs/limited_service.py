"""Stands between agents and a scripted model server, as a service that refuses one agent's calls for a while.

`limited_service.py KIND SERVED SECONDS COMMAND…` runs the command with that service. After SERVED calls of the kind's
agent it refuses all others of it for so many seconds, and says what that agent's service says then (ANSWERS); the calls
of other agents are passed on. The number of refused calls is printed in the end.

`limited_service.py KIND USED SECONDS COMMAND…` with a kind of GAUGES refuses nobody: its agent is told that USED
percent of its limit are used, until that resets after so many seconds, and then one percent of the next one.
"""

import http.client
import json
import math
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

Answer = tuple[int, Mapping[str, str], Any]
"""A status, headers and a JSON document."""


def claude_subscription(left: float, at: int) -> Answer:
    """Say that a subscription's window of five hours is used up."""
    told = {"status": "rejected", "reset": str(at), "representative-claim": "five_hour"}
    headers = {f"anthropic-ratelimit-unified-{name}": value for name, value in told.items()}
    return 429, headers, {"type": "error", "error": {"type": "rate_limit_error", "message": "Refused"}}


def claude_busy(left: float, at: int) -> Answer:
    """Say that the service is overloaded."""
    return 529, {}, {"type": "error", "error": {"type": "overloaded_error", "message": "Refused"}}


def codex_subscription(left: float, at: int) -> Answer:
    """Say that a ChatGPT account's window of five hours is used up."""
    windows = {"primary": (100, 300, at), "secondary": (41, 10_080, at + 400_000)}
    headers = {
        f"x-codex-{window}-{name}": str(value)
        for window, told in windows.items()
        for name, value in zip(("used-percent", "window-minutes", "reset-at"), told, strict=True)
    }
    words = {"type": "usage_limit_reached", "message": "The usage limit has been reached", "plan_type": "plus"}
    return 429, headers, {"error": {**words, "resets_at": at, "resets_in_seconds": math.ceil(left)}}


def claude_window(used: int, at: int) -> Mapping[str, str]:
    """Say how much of a subscription's window of five hours is used."""
    status = "allowed_warning" if used >= 90 else "allowed"
    told = {"status": status, "reset": at, "representative-claim": "five_hour", "5h-status": status, "5h-reset": at,
            "5h-utilization": used / 100, **({"5h-surpassed-threshold": 0.9} if used >= 90 else {})}  # fmt: skip
    return {f"anthropic-ratelimit-unified-{name}": str(value) for name, value in told.items()}


def codex_window(used: int, at: int) -> Mapping[str, str]:
    """Say how much of a ChatGPT account's window of five hours is used."""
    told = {"used-percent": used, "window-minutes": 300, "reset-at": at}
    return {f"x-codex-primary-{name}": str(value) for name, value in told.items()}


def gemini_day(left: float, at: int) -> Answer:
    """Say that an API key's quota of a day is used up, with the delay of a minute's quota, as Google does."""
    quota, model = "generativelanguage.googleapis.com/generate_content_free_tier_requests", "gemini-2.5-pro"
    words = "You exceeded your current quota, please check your plan and billing details."
    words += f"\n* Quota exceeded for metric: {quota}, limit: 250, model: {model}\nPlease retry in {left:.3f}s."
    broken = {"quotaMetric": quota, "quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier",
              "quotaDimensions": {"location": "global", "model": model}, "quotaValue": "250"}  # fmt: skip
    details = [{"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [broken]},
               {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{math.ceil(left)}s"}]  # fmt: skip
    return 429, {}, {"error": {"code": 429, "message": words, "status": "RESOURCE_EXHAUSTED", "details": details}}


def gemini_capacity(left: float, at: int) -> Answer:
    """Say that a Google login's quota of one model is used up."""
    words = f"You have exhausted your capacity on this model. Your quota will reset after {math.ceil(left)}s."
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "QUOTA_EXHAUSTED",
                "domain": "cloudcode-pa.googleapis.com", "metadata": {"uiMessage": "true", "model": "gemini-2.5-pro",
                "quotaResetDelay": f"{left:.3f}s"}},
               {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{left:.3f}s"}]  # fmt: skip
    return 429, {}, {"error": {"code": 429, "message": words, "status": "RESOURCE_EXHAUSTED", "details": details}}


def no_quota(left: float, at: int) -> Answer:
    """Say that an account at an OpenAI-compatible provider has used up what it has paid for."""
    words = "You exceeded your current quota, please check your plan and billing details."
    code = "insufficient_quota"
    return 429, {}, {"error": {"message": words, "type": code, "param": None, "code": code}}


def five_hours(left: float, at: int) -> Answer:
    """Say that a coding plan's window of five hours is used up, and when it resets."""
    moment = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at))
    words = f"Usage limit reached for 5 hour. Your limit will reset at {moment}"
    return 429, {}, {"error": {"message": words, "code": "1308"}}


def wait(left: float, at: int) -> Answer:
    """Ask to be left alone for a while."""
    words = {"message": "Rate limit reached for requests", "type": "requests", "code": "rate_limit_exceeded"}
    return 429, {"retry-after": str(math.ceil(left))}, {"error": words}


ANSWERS: Mapping[str, Callable[[float, int], Answer]] = {
    "claude_subscription": claude_subscription, "claude_busy": claude_busy, "codex_subscription": codex_subscription,
    "gemini_day": gemini_day, "gemini_capacity": gemini_capacity,
    **{f"{name}_{answer.__name__}": answer for name in ("opencode", "qwen") for answer in (no_quota, five_hours, wait)},
}  # fmt: skip
GAUGES = {"claude_window": claude_window, "codex_window": codex_window}
NEXT = 18_000  # seconds of the window after
CALLS = re.compile(r"/v1/messages$|/responses$|/chat/completions$|enerateContent$")

kind, served, seconds, command = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4:]
agent = kind.partition("_")[0]
behind = urlsplit(os.environ["NOVA_FAKE_URL"])
lock = threading.Lock()
calls = refused = 0
resets_at = math.inf


class Service(BaseHTTPRequestHandler):
    """One connection of an agent."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        """Answer a question whether anybody is there."""
        self.send_response(200)
        self.end_headers()

    def do_GET(self) -> None:
        """Pass a question on."""
        self.pass_on("GET", None)

    def do_POST(self) -> None:
        """Refuse a call, or pass it on."""
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        path = self.path.partition("?")[0]
        is_call = path.startswith(f"/r/{agent}/") and CALLS.search(path)
        if is_call and kind not in GAUGES and is_refused():
            self.refuse()
        else:
            self.pass_on("POST", body, gauge() if is_call and kind in GAUGES else {})

    def refuse(self) -> None:
        """Say what the agent's service says."""
        status, headers, document = ANSWERS[kind](resets_at - time.time(), int(resets_at))
        answer = json.dumps(document).encode()
        self.send_response(status)
        for name, value in {**headers, "content-type": "application/json", "content-length": str(len(answer))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer)

    def pass_on(self, method: str, body: bytes | None, more: Mapping[str, str] = MappingProxyType({})) -> None:
        """Hand a call to the server behind, and its answer back as it comes."""
        connection = http.client.HTTPConnection(str(behind.hostname), behind.port)
        connection.request(method, self.path, body, {"content-type": "application/json"})
        answer = connection.getresponse()
        self.send_response(answer.status)
        for name, value in {"content-type": answer.getheader("content-type") or "", **more}.items():
            self.send_header(name, value)
        self.end_headers()
        while part := answer.read1(65536):
            self.wfile.write(part)
            self.wfile.flush()
        connection.close()


def gauge() -> Mapping[str, str]:
    """Return what a call is told of the limit; the first one begins its time."""
    global resets_at
    with lock:
        resets_at = min(resets_at, math.ceil(time.time() + seconds))
        is_reset = time.time() >= resets_at
        return GAUGES[kind](1 if is_reset else served, int(resets_at) + NEXT * is_reset)


def is_refused() -> bool:
    """Count a call, and tell whether it comes too soon."""
    global calls, refused, resets_at
    with lock:
        calls += 1
        if calls == served + 1:
            resets_at = math.ceil(time.time() + seconds)
        is_over = calls > served and time.time() < resets_at
        refused += is_over
        return is_over


with ThreadingHTTPServer(("127.0.0.1", 0), Service) as service:
    threading.Thread(target=service.serve_forever, daemon=True).start()
    here = f"http://127.0.0.1:{service.server_port}"
    moved = {name: value.replace(behind.geturl(), here) for name, value in os.environ.items()}
    config = Path(os.environ.get("CODEX_HOME") or "/nowhere") / "config.toml"
    if config.is_file():
        config.write_text(config.read_text().replace(behind.geturl(), here))
    done = subprocess.run(command, env={**moved, "NOVA_FAKE_URL": behind.geturl()})
    service.shutdown()
print("refused:", refused)
sys.exit(done.returncode)
