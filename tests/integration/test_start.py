"""The ways to start the gateway: the quickstart, the command, twistd."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from twisted.trial.unittest import TestCase

from tests.integration.harness import ROOT, Gateway, demo_server, free_port, wait_for

TWISTD = ["--nodaemon", "--pidfile=", "--logger=mcpfront.telemetry.logging.observer", "mcpfront", "--config"]


class QuickstartTests(TestCase):
    """What ``make run`` starts."""

    timeout = 60

    def launch(self, port: int) -> tuple[subprocess.Popen[str], Path]:
        """Start the quickstart on a port; return it and the file of what it prints."""
        printed = Path(self.mktemp())
        with printed.open("w", encoding="utf-8") as stdout:
            process = subprocess.Popen(
                [sys.executable, str(ROOT / "examples" / "quickstart.py")],
                env={**os.environ, "PORT": str(port), "MCPFRONT_TOKEN": ""},
                stdout=stdout,
                stderr=subprocess.STDOUT,
                text=True,
            )
        self.addCleanup(process.wait, 20)
        self.addCleanup(process.terminate)
        return process, printed

    def test_printed_command_works(self) -> None:
        """The curl command that it prints calls a tool, and one SIGINT stops everything in order."""
        process, printed = self.launch(free_port())
        wait_for(lambda: "Ctrl-C" in printed.read_text(encoding="utf-8"), 30, "the greeting")
        command = re.search(r"  (curl .*\\\n.*)\n", printed.read_text(encoding="utf-8"))
        self.assertIsNotNone(command)
        answer = subprocess.run(
            ["sh", "-c", command[1]], capture_output=True, text=True, check=True, timeout=30
        )
        self.assertIn('"sum":5', answer.stdout)
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(20), 0)
        self.assertNotIn("Traceback", printed.read_text(encoding="utf-8"))

    def test_port_in_use(self) -> None:
        """A port that another gateway holds ends it with one clear line, and it greets nobody."""
        with Gateway({"demo": demo_server()}) as other:
            process, printed = self.launch(other.port)
            self.assertNotEqual(process.wait(20), 0)
        (line,) = printed.read_text(encoding="utf-8").splitlines()
        self.assertIn("already in use", line)


class StartTests(TestCase):
    """The gateway as a process."""

    timeout = 60

    def begin(self, command: list[str] | None) -> Gateway:
        """Start a gateway by a command."""
        gateway = Gateway({"demo": demo_server()}, command=command)
        self.addCleanup(gateway.close)
        gateway.start()
        return gateway

    def check(self, command: list[str] | None) -> None:
        """Start by a command, call a tool, stop with the session open."""
        gateway = self.begin(command)
        session = gateway.session("demo")
        result = session.call("tools/call", {"name": "add", "arguments": {"a": 2, "b": 3}})
        self.assertEqual(result["result"]["structuredContent"], {"sum": 5})
        self.assertLess(gateway.stop(), 5)
        self.assertTrue(all(line.startswith("{") for line in gateway.text().splitlines()), gateway.text())

    def test_command(self) -> None:
        """``mcpfront run`` serves, logs JSON lines alone, and stops in order with a session open."""
        self.check(None)

    def test_twistd(self) -> None:
        """``twistd mcpfront`` does the same."""
        twistd = Path(sys.executable).with_name("twistd")
        self.check([sys.executable, str(twistd), *TWISTD])

    def test_two_signals(self) -> None:
        """A second signal while it stops changes nothing."""
        gateway = self.begin(None)
        gateway.session("demo")
        gateway.process.send_signal(signal.SIGINT)
        gateway.stop()
        self.assertNotIn("Traceback", gateway.text())

    def test_healthy_within_a_second(self) -> None:
        """It is healthy within a second of processor time of its own."""
        begun = time.monotonic()
        gateway = self.begin(None)
        took = time.monotonic() - begun
        ticks = (Path("/proc") / str(gateway.pid) / "stat").read_text().rsplit(")", 1)[1].split()
        used = (int(ticks[11]) + int(ticks[12])) / os.sysconf("SC_CLK_TCK")
        self.assertLess(used, 1.0, f"healthy after {took:.2f} s")
        gateway.stop()
