"""One line per request."""

import json
from io import StringIO

from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from mcpfront.gateway.record import Record
from mcpfront.telemetry.access import AccessLog
from mcpfront.telemetry.logging import configure
from mcpfront.testing.exchange import MemoryExchange


class AccessTests(SynchronousTestCase):
    """The access log."""

    def setUp(self):
        self.stream = StringIO()
        configure({"LOG_FORMAT": "json"}, self.stream)
        self.addCleanup(configure, {})
        self.clock = Clock()
        self.access = AccessLog(self.clock)
        self.record = Record("files")
        self.record.user, self.record.rpc, self.record.tool = "alice", "tools/call", "read"
        self.exchange = MemoryExchange(
            query=b"token=sesame", headers={b"authorization": b"Bearer sesame"}, body=b'{"password":"sesame"}'
        )

    def event(self):
        """Return the one line."""
        (line,) = self.stream.getvalue().splitlines()
        return json.loads(line)

    def test_line(self):
        """A line says who asked which server for what, how it ended, how long and how much it was."""
        self.clock.advance(0.25)
        self.exchange.respond(200, [], b"answer")
        self.access.write(self.exchange, self.record)
        event = self.event()
        event.pop("time")
        self.assertEqual(
            event,
            {
                "level": "info",
                "component": "access",
                "msg": "request",
                "id": "request-1",
                "user": "alice",
                "server": "files",
                "http": "POST",
                "rpc": "tools/call",
                "status": 200,
                "ms": 250.0,
                "bytes_in": 21,
                "bytes_out": 6,
                "peer": "127.0.0.1",
                "tool": "read",
            },
        )

    def test_no_secrets(self):
        """Neither query, nor credential, nor body is told."""
        self.exchange.respond(200, [], b"sesame")
        self.access.write(self.exchange, self.record)
        self.access.failure(self.exchange, self.record, Failure(ValueError("broken")))
        self.assertNotIn("sesame", self.stream.getvalue())

    def test_bounded(self):
        """Names that a client makes up are cut."""
        self.record.tool = self.record.rpc = "x" * 5000
        self.access.write(self.exchange, self.record)
        self.assertLess(len(self.stream.getvalue()), 700)

    def test_gone(self):
        """A client that left before its answer has no status."""
        self.exchange.leave()
        self.access.write(self.exchange, self.record)
        self.assertEqual((self.event()["status"], self.event()["gone"]), (0, True))

    def test_server_error(self):
        """An answer in the five hundreds is a warning and names the kind of error."""
        self.exchange.respond(503, [], b"")
        self.record.error = "Unavailable"
        self.access.write(self.exchange, self.record)
        self.assertEqual((self.event()["level"], self.event()["error"]), ("warning", "Unavailable"))

    def test_failure(self):
        """An error of the gateway's own is told with its traceback."""
        self.access.failure(self.exchange, self.record, Failure(ValueError("broken")))
        self.assertIn("ValueError", self.event()["exception"])

    def test_control(self):
        """Requests of the control plane are told, healthy probes only at debug level."""
        self.access.control(b"GET", b"/base/health", 200, 10, 0.0)
        self.assertEqual(self.stream.getvalue(), "")
        self.access.control(b"GET", b"/ready", 503, 10, 0.0)
        self.assertEqual((self.event()["path"], self.event()["status"]), ("/ready", 503))

    def test_control_bounded(self):
        """A path that a client makes up is cut."""
        self.access.control(b"GET", b"/" + b"x" * 5000, 404, 10, 0.0)
        self.assertLess(len(self.event()["path"]), 200)
