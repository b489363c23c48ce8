"""How a real gateway stops: in order, in time, whatever is open."""

from __future__ import annotations

import json
import sys
import threading
import time
from typing import Any

from twisted.trial.unittest import TestCase

from tests.integration.harness import ROOT, Gateway, stdio_server
from tests.integration.wire import Wire, initialize, open_sse

LONGEST = 5.0


def played(mode: str) -> dict[str, Any]:
    """Return the config of a server that behaves as told."""
    return stdio_server(sys.executable, "-m", "mcpfront.testing.hostile", mode, cwd=str(ROOT))


class StopTests(TestCase):
    """SIGTERM."""

    timeout = 90

    def setUp(self) -> None:
        """Start a gateway with a server that behaves and one that ignores everything but KILL."""
        self.gateway = Gateway({"x": played("good"), "stubborn": played("stubborn")})
        self.addCleanup(self.gateway.close)
        self.gateway.start()

    def test_open_streams(self) -> None:
        """Open streams of both transports end with a comment and the gateway exits with 0 in time."""
        session = self.gateway.session("x")
        get = Wire(self.gateway)
        get.send("GET", "/x/mcp", more=f"Mcp-Session-Id: {session.headers['Mcp-Session-Id']}\r\n")
        get.read_until(b"text/event-stream")
        sse, path = open_sse(self.gateway, "x")
        post = Wire(self.gateway)
        post.send("POST", path, initialize())
        sse.read_until(b"protocolVersion")
        self.assertLess(self.gateway.stop(), LONGEST)
        for stream in (get, sse):
            self.assertIn(b": the gateway is shutting down", stream.read_to_end())

    def test_call_in_flight(self) -> None:
        """A call that ends within the drain time is answered; new ones are refused by then."""
        session = self.gateway.session("x")
        answers: list[Any] = []
        params = {"name": "slow", "arguments": {"seconds": 1}}
        call = threading.Thread(target=lambda: answers.append(session.call("tools/call", params)))
        call.start()
        time.sleep(0.3)
        self.assertLess(self.gateway.stop(), LONGEST)
        call.join(10)
        self.assertIn("result", answers[0])

    def test_endless_call(self) -> None:
        """A call that would not end is answered with an error that says why, within the time."""
        session = self.gateway.session("x")
        answers: list[Any] = []
        params = {"name": "slow", "arguments": {"seconds": 60}}
        call = threading.Thread(target=lambda: answers.append(session.call("tools/call", params)))
        call.start()
        time.sleep(0.3)
        self.assertLess(self.gateway.stop(), LONGEST)
        call.join(10)
        self.assertIn("error", answers[0], json.dumps(answers))

    def test_stubborn_children(self) -> None:
        """Children that ignore the end of input and TERM are gone all the same."""
        for _ in range(3):
            self.gateway.session("stubborn")
        self.assertLess(self.gateway.stop(), LONGEST)
