"""The pages for machines, over the real engine in memory."""

import json
from io import StringIO

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mcpfront import __version__
from mcpfront.listen.web import GatewaySite
from mcpfront.telemetry.health import Health
from mcpfront.telemetry.logging import configure
from tests.listen.engine import Client


class Host:
    """What a client of the engine needs."""

    def __init__(self, site, clock):
        self.site, self.clock = site, clock


class HealthTests(SynchronousTestCase):
    """Health, readiness and every other path."""

    def setUp(self):
        self.clock = Clock()
        self.reason = ""
        self.log = StringIO()
        configure({}, self.log)
        self.addCleanup(configure, {})
        self.health = Health(self.clock, "/base", lambda: self.reason)
        site = GatewaySite(
            lambda _: False, self.health.resource, self.clock, lambda _path, _head: (100, None)
        )
        self.host = Host(site, self.clock)

    def get(self, path, method=b"GET"):
        """Ask for a path; return status, headers and body."""
        client = Client(self.host)
        client.send(b"%s %s HTTP/1.1\r\nHost: any.example\r\n\r\n" % (method, path))
        client.leave()
        head, _, body = client.wire.value().partition(b"\r\n\r\n")
        self.assertEqual(self.clock.getDelayedCalls(), [])
        return client.status, head.lower(), body

    def test_health(self):
        """Health tells service, version and uptime, at the root and below the base path, to any Host."""
        self.clock.advance(12.5)
        for path in (b"/health", b"/base/health", b"/health?x"):
            status, head, body = self.get(path)
            wanted = {"status": "ok", "service": "mcpfront", "version": __version__, "uptime": 12.5}
            self.assertEqual((status, json.loads(body)), (200, wanted))
            self.assertIn(b"content-type: application/json", head)
            self.assertIn(b"content-length: ", head)

    def test_uptime(self):
        """Pages that are made late tell the uptime of the gateway, not their own."""
        self.clock.advance(100)
        self.health = Health(self.clock, "", lambda: "", started=40.0)
        site = GatewaySite(
            lambda _: False, self.health.resource, self.clock, lambda _path, _head: (100, None)
        )
        self.host = Host(site, self.clock)
        self.assertEqual(json.loads(self.get(b"/health")[2])["uptime"], 60.0)

    def test_ready(self):
        """Readiness is 200, and 503 with the reason while the gateway starts or drains."""
        self.assertEqual(self.get(b"/ready")[0], 200)
        self.reason = "the gateway is shutting down"
        for path in (b"/ready", b"/base/ready"):
            status, _, body = self.get(path)
            self.assertEqual((status, json.loads(body)["message"]), (503, self.reason))

    def test_head(self):
        """HEAD is allowed and has no body."""
        status, head, body = self.get(b"/health", b"HEAD")
        self.assertEqual((status, body), (200, b""))
        self.assertIn(b"content-length: ", head)

    def test_method(self):
        """Another method is refused with those that are allowed."""
        status, head, body = self.get(b"/health", b"DELETE")
        self.assertEqual((status, json.loads(body)["error"]), (405, "method_not_allowed"))
        self.assertIn(b"allow: get, head", head)

    def test_not_found(self):
        """Every other path is told not to exist, in JSON, and leads nowhere else."""
        for path in (b"/", b"/nope", b"/health/", b"/base", b"/healt%68x", b"/" + b"a/" * 500):
            status, head, body = self.get(path)
            self.assertEqual((status, json.loads(body)["error"]), (404, "not_found"), path)
            self.assertNotIn(b"location", head)

    def test_fault(self):
        """A page that fails is answered in JSON without its words, which go into the log."""
        self.health._ready = lambda: 1 / 0
        status, _, body = self.get(b"/ready")
        self.assertEqual((status, json.loads(body)["error"]), (500, "internal_server_error"))
        self.assertNotIn(b"division", body)
        self.assertIn("ZeroDivisionError", self.log.getvalue())
