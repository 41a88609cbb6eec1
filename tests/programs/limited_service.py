"""Stands between Claude Code and a scripted model server, as a service that refuses calls for a while.

`limited_service.py KIND SERVED SECONDS COMMAND…` runs the command with that service. After SERVED calls it refuses all
others for so many seconds: as a subscription at its limit of five hours (KIND ``five_hour``), which it tells when it
ends, or as a busy one (KIND ``busy``). The number of refused calls is printed in the end.
"""

import http.client
import json
import math
import os
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit, urlunsplit

kind, served, seconds, command = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4:]
behind = urlsplit(os.environ["ANTHROPIC_BASE_URL"])
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

    def do_POST(self) -> None:
        """Refuse a call, or pass it on."""
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.path.partition("?")[0].endswith("/v1/messages") and is_refused():
            self.refuse()
        else:
            self.pass_on(body)

    def refuse(self) -> None:
        """Say it as Anthropic's API does."""
        is_limit = kind == "five_hour"
        word = "rate_limit_error" if is_limit else "overloaded_error"
        answer = json.dumps({"type": "error", "error": {"type": word, "message": "Refused"}}).encode()
        self.send_response(429 if is_limit else 529)
        if is_limit:
            told = {"status": "rejected", "reset": str(int(resets_at)), "representative-claim": "five_hour"}
            for name, value in told.items():
                self.send_header(f"anthropic-ratelimit-unified-{name}", value)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def pass_on(self, body: bytes) -> None:
        """Hand a call to the server behind, and its answer back as it comes."""
        connection = http.client.HTTPConnection(str(behind.hostname), behind.port)
        connection.request("POST", self.path, body, {"content-type": "application/json"})
        answer = connection.getresponse()
        self.send_response(answer.status)
        self.send_header("content-type", answer.getheader("content-type") or "")
        self.end_headers()
        while part := answer.read1(65536):
            self.wfile.write(part)
            self.wfile.flush()
        connection.close()


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
    here = urlunsplit(behind._replace(netloc=f"127.0.0.1:{service.server_port}"))
    done = subprocess.run(command, env={**os.environ, "ANTHROPIC_BASE_URL": here})
    service.shutdown()
print("refused:", refused)
sys.exit(done.returncode)
