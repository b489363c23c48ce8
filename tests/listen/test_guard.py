"""Host, Origin and CORS."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mcpfront.errors import Forbidden
from mcpfront.listen.guard import Guard
from mcpfront.testing.exchange import MemoryExchange

PUBLIC = Guard("https://gw.example/base", ["alt.example:8443", "lan"], ["https://App.example:443/", "app:x"])
LOCAL = Guard("http://127.0.0.1:8080", [], [])
ANY = Guard("https://gw.example", ["*"], ["*"])


def request(host=b"gw.example", method=b"POST", **headers):
    """Make a request with headers whose underscores stand for hyphens."""
    named = {name.replace("_", "-").encode(): value for name, value in headers.items()}
    return MemoryExchange(method, headers={b"host": host, **named})


class HostTests(SynchronousTestCase):
    """Which names the gateway answers to."""

    def test_public(self):
        """The base URL's host is allowed, with its default port or without, and configured ones are."""
        for host, allowed in (
            (b"gw.example", True), (b"GW.Example", True), (b"gw.example.", True), (b"gw.example:443", True),
            (b"gw.example:80", False), (b"gw.example:8443", False), (b"evil.example", False),
            (b"alt.example:8443", True), (b"alt.example", False), (b"lan", True), (b"lan:1", True),
            (b"gw.example.evil", False), (b"localhost", False), (b"127.0.0.1", False), (b"", False),
            (b"gw.example:443:1", False), (b"gw.example:x", False), (b"\xff", False),
        ):  # fmt: skip
            self.assertEqual(PUBLIC.allows_host(host), allowed, host)

    def test_local(self):
        """A gateway on loopback answers to every spelling of loopback and to nothing else."""
        for host, allowed in (
            (b"localhost:8080", True), (b"127.0.0.1:8080", True), (b"[::1]:8080", True), (b"LOCALHOST", True),
            (b"127.0.0.2:1", True), (b"evil.example:8080", False), (b"127.0.0.1.evil.example", False),
            (b"localhost.evil.example", False), (b"[::1", False), (b"10.0.0.1:8080", False),
        ):  # fmt: skip
            self.assertEqual(LOCAL.allows_host(host), allowed, host)

    def test_odd_port(self):
        """A base URL with a port of its own wants that port."""
        guard = Guard("https://gw.example:9443", [], [])
        self.assertTrue(guard.allows_host(b"gw.example:9443"))
        self.assertFalse(guard.allows_host(b"gw.example"))

    def test_ipv6(self):
        """A base URL with an IPv6 address is recognised in brackets."""
        self.assertTrue(Guard("http://[2001:db8::1]:80", [], []).allows_host(b"[2001:DB8::1]"))

    def test_refused(self):
        """A foreign host is refused with the remedy, and without naming the host."""
        error = self.assertRaises(Forbidden, PUBLIC.check, request(b"evil.example"))
        self.assertIn("proxy.allowedHosts", error.message)
        self.assertNotIn("evil", error.message)

    def test_any(self):
        """A star allows every host."""
        self.assertTrue(ANY.allows_host(b"whatever:1"))

    @given(st.binary(max_size=60))
    def test_any_bytes(self, raw):
        """Whatever a Host or an Origin holds, it is judged and nothing is raised."""
        self.assertFalse(PUBLIC.allows_host(raw) and raw.lower() not in PUBLIC_HOSTS)
        self.assertFalse(LOCAL.allows_origin(b"http://" + raw + b".evil.example"))


PUBLIC_HOSTS = (b"gw.example", b"gw.example:443", b"lan", b"alt.example:8443")


class OriginTests(SynchronousTestCase):
    """Which web pages may use the gateway."""

    def test_public(self):
        """The gateway's own origin and configured ones are allowed, in any spelling."""
        for origin, allowed in (
            (b"https://gw.example", True), (b"https://GW.example:443", True), (b"http://gw.example", False),
            (b"https://app.example", True), (b"https://app.example:8443", False),
            (b"https://x.app.example", False),
            (b"http://localhost:3000", False), (b"null", False), (b"", False), (b"https://", False),
        ):  # fmt: skip
            self.assertEqual(PUBLIC.allows_origin(origin), allowed, origin)

    def test_local(self):
        """A gateway on loopback may be used by pages of loopback."""
        for origin, allowed in (
            (b"http://localhost:6274", True), (b"http://[::1]:3000", True), (b"https://127.0.0.1", True),
            (b"http://localhost.evil.example", False), (b"http://127.0.0.1@evil.example", False),
            (b"http://[::1", False), (b"null", False), (b"file://", False),
        ):  # fmt: skip
            self.assertEqual(LOCAL.allows_origin(origin), allowed, origin)

    def test_star(self):
        """A star allows every origin but null."""
        self.assertTrue(ANY.allows_origin(b"https://anywhere.example"))
        self.assertFalse(ANY.allows_origin(b"null"))

    def test_absent(self):
        """A request without an Origin is no web page's and passes."""
        exchange = request()
        PUBLIC.check(exchange)
        exchange.respond(200, [], b"")
        self.assertEqual(exchange.response_headers, {b"vary": b"Origin"})

    def test_refused(self):
        """A foreign origin, or two, is refused with the remedy and may not read the refusal."""
        for origins in (b"https://evil.example", [b"https://gw.example", b"https://evil.example"]):
            exchange = request(origin=origins)
            error = self.assertRaises(Forbidden, PUBLIC.check, exchange)
            exchange.respond(403, [], b"")
            self.assertIn("proxy.allowedOrigins", error.message)
            self.assertNotIn(b"access-control-allow-origin", exchange.response_headers)


class CorsTests(SynchronousTestCase):
    """What browsers are told."""

    def test_answers(self):
        """Every answer, refusals too, names the origin and exposes what clients need."""
        exchange = request(origin=b"https://app.example")
        PUBLIC.check(exchange)
        exchange.respond(401, [], b"")
        headers = exchange.response_headers
        self.assertEqual(headers[b"access-control-allow-origin"], b"https://app.example")
        self.assertEqual(headers[b"vary"], b"Origin")
        for name in (b"WWW-Authenticate", b"Mcp-Session-Id", b"MCP-Protocol-Version", b"Retry-After"):
            self.assertIn(name, headers[b"access-control-expose-headers"])

    def test_preflight(self):
        """A preflight is answered with methods, headers and the parameters it asked for."""
        exchange = request(
            method=b"OPTIONS",
            origin=b"https://app.example",
            access_control_request_method=b"POST",
            access_control_request_headers=b"content-type, mcp-param-Region,Mcp-Param-,mcp-param-a b, x",
        )
        PUBLIC.check(exchange)
        self.assertTrue(PUBLIC.preflight(exchange))
        headers = exchange.response_headers
        self.assertEqual(exchange.response_status, 204)
        self.assertEqual(headers[b"access-control-allow-methods"], b"GET, POST, DELETE, OPTIONS")
        self.assertEqual(headers[b"access-control-max-age"], b"3600")
        allowed = headers[b"access-control-allow-headers"]
        for name in (b"Content-Type", b"Authorization", b"Accept", b"Cache-Control", b"Last-Event-ID",
                     b"Mcp-Session-Id", b"MCP-Protocol-Version", b"Mcp-Method", b"Mcp-Name"):  # fmt: skip
            self.assertIn(name, allowed)
        self.assertTrue(allowed.endswith(b"Mcp-Name, mcp-param-Region"))

    def test_parameter_flood(self):
        """Asking for a thousand parameters yields a bounded answer."""
        exchange = request(
            method=b"OPTIONS",
            origin=b"https://app.example",
            access_control_request_method=b"POST",
            access_control_request_headers=b",".join(b"mcp-param-%d" % number for number in range(1000)),
        )
        PUBLIC.preflight(exchange)
        self.assertLess(len(exchange.response_headers[b"access-control-allow-headers"]), 2000)

    def test_no_preflight(self):
        """OPTIONS without Origin or without a requested method is no preflight, nor is another method."""
        for exchange in (
            request(method=b"OPTIONS", origin=b"https://app.example"),
            request(method=b"OPTIONS", access_control_request_method=b"POST"),
            request(method=b"POST", origin=b"https://app.example", access_control_request_method=b"POST"),
        ):
            self.assertFalse(PUBLIC.preflight(exchange))
            self.assertFalse(exchange.answered)

    def test_refusals_of_the_engine(self):
        """Headers for answers that the engine gives itself depend on the origin alone."""
        self.assertEqual(PUBLIC.cors(None), [])
        self.assertEqual(PUBLIC.cors(b"https://evil.example"), [])
        self.assertIn(
            (b"Access-Control-Allow-Origin", b"https://app.example"), PUBLIC.cors(b"https://app.example")
        )
