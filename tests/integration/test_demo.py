"""The demo server as a process."""

from __future__ import annotations

import json
import subprocess
import sys
import time

from twisted.trial.unittest import TestCase

from mcpfront.demo.main import MAX_LINE
from tests.integration.harness import INITIALIZE, ROOT

START_TIME = 1.0
"""Seconds until the first answer, several times what it takes on a machine at rest."""


class DemoProcessTests(TestCase):
    """``mcpfront demo`` on its stdin and stdout."""

    timeout = 60

    def setUp(self) -> None:
        """Start it."""
        self.begun = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mcpfront", "demo"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            self.addCleanup(pipe.close)
        self.addCleanup(self.process.wait, 10)
        self.addCleanup(self.process.kill)

    def send(self, method: str, params: object) -> None:
        """Write a request."""
        line = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def read(self) -> dict:
        """Read one message."""
        return json.loads(self.process.stdout.readline())

    def test_conversation(self) -> None:
        """It starts fast, tells progress while time passes, and ends with its stdin."""
        self.send("initialize", INITIALIZE)
        self.assertIn("result", self.read())
        self.assertLess(time.monotonic() - self.begun, START_TIME)
        call = {
            "name": "countdown",
            "arguments": {"from": 2, "interval": 0.01},
            "_meta": {"progressToken": 5},
        }
        self.send("tools/call", call)
        told = [self.read() for _ in range(3)]
        self.assertEqual([one.get("method") for one in told], ["notifications/progress"] * 2 + [None])
        self.process.stdin.close()
        self.assertEqual((self.process.wait(10), self.process.stderr.read()), (0, b""))

    def test_line_without_end(self) -> None:
        """A line over the limit ends it with a sentence."""
        try:
            self.process.stdin.write(b"x" * (MAX_LINE + 65536))
        except BrokenPipeError:
            self.process.stdin.detach()
        self.assertEqual(self.process.wait(10), 1)
        self.assertIn(b"longer than", self.process.stderr.read())

    def test_reader_gone(self) -> None:
        """When nobody reads its answers any more it ends without a complaint."""
        self.process.stdout.close()
        self.send("ping", {})
        self.assertEqual((self.process.wait(10), self.process.stderr.read()), (0, b""))
