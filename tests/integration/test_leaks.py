"""What is left after clients and servers have behaved as badly as they can: nothing."""

from __future__ import annotations

import http.client
import os
import random
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from twisted.trial.unittest import TestCase

from tests.integration.harness import ROOT, TOKEN, Gateway, Session, stdio_server, wait_for
from tests.integration.processes import open_descriptors, resident_bytes
from tests.integration.wire import Wire, initialize, open_sse

SESSIONS = 1000
AT_ONCE = 24
IDLE = "2s"
MIB = 1024 * 1024


def played(mode: str, **members: Any) -> dict[str, Any]:
    """Return the config of a server that behaves as told."""
    args = ("-S", "-E", "-m", "mcpfront.testing.hostile", mode)
    return stdio_server(sys.executable, *args, cwd=str(ROOT), **members)


def proxy(**members: Any) -> dict[str, Any]:
    """Return settings under which unused sessions end soon."""
    sessions = {"timeout": IDLE, "cleanupInterval": "500ms", "maxPerUser": 0, "maxTotal": 2000}
    return {"sessions": sessions, **members}


def drop_streamable(gateway: Gateway) -> None:
    """Open a session over Streamable HTTP, call a tool, and vanish."""
    session = gateway.session("x")
    answer = session.call("tools/call", {"name": "echo", "arguments": {"text": "hi"}})
    assert "result" in answer, answer


def drop_sse(gateway: Gateway) -> None:
    """Open a session over HTTP+SSE, initialize it, and reset the connection."""
    stream, path = open_sse(gateway, "x")
    wire = Wire(gateway)
    wire.send("POST", path, initialize())
    wire.read_until(b"202")
    stream.read_until(b"protocolVersion")
    wire.drop()
    stream.drop()


def drop_early(gateway: Gateway) -> None:
    """Ask for a session and reset the connection before the answer."""
    wire = Wire(gateway)
    wire.send("POST", "/x/mcp", initialize(), "application/json, text/event-stream")
    wire.drop()


class LeakTests(TestCase):
    """Children, descriptors and memory after the storm."""

    timeout = 400

    def settle(self, gateway: Gateway) -> None:
        """Wait until every session has ended."""
        wait_for(lambda: not gateway.family(), 60, "the end of every child")

    def storm(self, gateway: Gateway, sessions: int) -> None:
        """Open and drop sessions of every kind, many at once."""
        kinds = [drop_streamable, drop_sse, drop_early, drop_streamable, drop_sse]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            done = [pool.submit(kinds[number % len(kinds)], gateway) for number in range(sessions)]
            for one in done:
                one.result(120)

    def test_dropped_sessions(self) -> None:
        """A thousand sessions dropped without DELETE leave no child, no descriptor and no memory."""
        gateway = Gateway({"x": played("good")}, proxy=proxy(), environ={"LOG_LEVEL": "error"})
        self.addCleanup(gateway.close)
        gateway.start()
        self.storm(gateway, SESSIONS // 4)
        self.settle(gateway)
        descriptors, memory = open_descriptors(gateway.pid), resident_bytes(gateway.pid)
        self.storm(gateway, SESSIONS)
        self.settle(gateway)
        self.assertLessEqual(open_descriptors(gateway.pid), descriptors)
        self.assertLess(resident_bytes(gateway.pid) - memory, 6 * MIB)
        gateway.stop()

    def test_killed_children(self) -> None:
        """Children killed under load cost their calls an error each; sessions go on and nothing is left."""
        gateway = Gateway({"x": played("good")}, proxy=proxy(), environ={"LOG_LEVEL": "error"})
        self.addCleanup(gateway.close)
        gateway.start()
        descriptors = open_descriptors(gateway.pid)
        ending = threading.Event()
        sessions = [gateway.session("x") for _ in range(8)]
        with ThreadPoolExecutor(8) as pool:
            loads = [pool.submit(self.load, session, ending) for session in sessions]
            kills = self.kill_some(gateway, 4.0)
            ending.set()
            counts = [load.result(60) for load in loads]
        self.assertIsNone(gateway.process.poll(), gateway.text())
        self.assertGreater(kills, 5)
        self.assertGreater(sum(good for good, _ in counts), 50)
        self.settle(gateway)
        self.assertLessEqual(open_descriptors(gateway.pid), descriptors)
        gateway.stop()

    def load(self, session: Session, ending: threading.Event) -> tuple[int, int]:
        """Call without a pause until told to end; every call must be answered, by result or error."""
        good = bad = 0
        while not ending.is_set():
            answer = session.call("tools/call", {"name": "echo", "arguments": {"text": "x"}})
            if "result" in answer:
                good += 1
            else:
                self.assertEqual(answer["error"]["code"], -32000, answer)
                bad += 1
        self.assertIn("result", self.recovered(session))
        return good, bad

    def recovered(self, session: Session) -> Any:
        """Return the first good answer after the killing has ended."""
        for _ in range(5):
            answer = session.call("tools/list", timeout=40)
            if "result" in answer:
                break
        return answer

    def kill_some(self, gateway: Gateway, seconds: float) -> int:
        """Kill a child at a time for a while; return how many."""
        until, killed = time.monotonic() + seconds, 0
        while time.monotonic() < until:
            family = gateway.family()
            if family:
                os.kill(random.choice(family).pid, signal.SIGKILL)  # noqa: S311 - no secret
                killed += 1
            time.sleep(0.15)
        return killed

    def test_slow_reader(self) -> None:
        """A client that reads nothing from a flooding server costs no more than a bounded buffer."""
        gateway = Gateway({"x": played("flood-stdout")}, proxy=proxy(), environ={"LOG_LEVEL": "error"})
        self.addCleanup(gateway.close)
        gateway.start()
        descriptors, memory = open_descriptors(gateway.pid), resident_bytes(gateway.pid)
        stream, path = open_sse(gateway, "x")
        for body in (initialize(), b'{"jsonrpc":"2.0","method":"notifications/initialized"}'):
            connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30)
            headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
            connection.request("POST", path, body, headers)
            self.assertEqual(connection.getresponse().status, 202)
            connection.close()
            time.sleep(0.5)
        time.sleep(3)
        self.assertLess(resident_bytes(gateway.pid) - memory, 24 * MIB)
        self.assertTrue(gateway.healthy())
        stream.drop()
        self.settle(gateway)
        wait_for(lambda: open_descriptors(gateway.pid) <= descriptors, 20, "the closing of descriptors")
        gateway.stop()
