"""Tests of HTTP+SSE on a played server."""

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from mcpfront.errors import HandshakeFailed
from tests.gateway.support import House, events


class LegacySseTests(SynchronousTestCase):
    """The transport of 2024-11-05."""

    def setUp(self):
        self.house = House()
        self.get = self.house.ask(b"GET", b"/x/sse", accept=b"text/event-stream")
        self.stream = self.get.streams[0]
        self.url = events(self.stream.data)[0][2]
        self.query = self.url.split(b"?")[1]

    def post(self, method="ping", id=1, **rest):
        return self.house.call(method, id, path=b"/x/message", query=self.query, **rest)

    def replies(self):
        return [e[2] for e in events(self.stream.data)[1:]]

    def test_endpoint(self):
        """The first event names an absolute URL to POST to."""
        self.assertEqual(events(self.stream.data)[0][0], b"endpoint")
        self.assertTrue(self.url.startswith(b"http://front/x/message?sessionId="))

    def test_accept_in_lines(self):
        """Accept in several lines is one list, as on the other transport."""
        exchange = self.house.ask(b"GET", b"/x/sse", accept=[b"application/json", b"text/event-stream"])
        self.assertEqual(exchange.status, 200)

    def test_conversation(self):
        """Requests get 202 and their answers come on the stream."""
        self.assertEqual(self.post("initialize", 0).status, 202)
        self.assertEqual(self.post("tools/list", 1).status, 202)
        connection = self.house.upstream.connections[0]
        connection.say(b'{"jsonrpc":"2.0","method":"notifications/message","params":{}}')
        connection.calls[0].reply()
        self.assertEqual([r.get("id", "note") for r in self.replies()], [0, "note", 1])

    def test_log_line_of_call(self):
        """The line of a call is written when its answer has gone out, not when it was taken."""
        self.post("initialize", 0)
        self.post("tools/list", 1)
        self.assertEqual([r.rpc for _, r in self.house.log.lines], ["initialize"])
        self.house.upstream.connections[0].calls[0].reply()
        self.assertEqual([r.rpc for _, r in self.house.log.lines], ["initialize", "tools/list"])

    def test_without_initialize(self):
        """A client that skips initialize is served: the gateway initializes for it."""
        self.post("tools/list", 1)
        self.assertEqual(len(self.house.upstream.connections), 1)

    def test_late_initialize(self):
        """A client that initializes after its first request gets a connection with its own capabilities."""
        self.post("tools/list", 1)
        self.house.upstream.connections[0].calls[0].reply()
        self.post("initialize", 2)
        self.assertTrue(self.house.upstream.connections[0].closed)
        self.post("initialize", 3)
        self.assertEqual(len(self.house.upstream.connections), 2)
        self.assertEqual([r["id"] for r in self.replies()], [1, 2, 3])

    def test_discover(self):
        """The question of a later era is answered before any handshake."""
        self.post("server/discover", 1)
        self.assertEqual(self.replies()[0]["error"]["code"], -32601)
        self.assertEqual(self.house.upstream.connections, [])

    def test_failure(self):
        """A server that does not start is told on the stream."""
        self.house.upstream.error = HandshakeFailed("did not start")
        self.post("initialize", 0)
        self.assertEqual(self.replies()[0]["error"]["message"], "did not start")

    def test_end(self):
        """Closing the stream ends the session and its connection."""
        self.post("initialize", 0)
        self.stream.leave()
        self.assertTrue(self.house.upstream.connections[0].closed)
        self.assertEqual(self.post().status, 404)
        self.assertEqual((len(self.house.table), len(self.house.alive)), (0, 0))

    def test_foreign(self):
        """Another user who knows the session id gets 404."""
        self.assertEqual(self.post(user=b"bob").status, 404)

    def test_bad_posts(self):
        """A POST without a session, or with a bad body, gets a JSON-RPC error in its answer."""
        self.assertEqual(self.house.call("ping", path=b"/x/message").status, 400)
        bad = self.house.ask(body=b"{", path=b"/x/message", query=self.query)
        self.assertEqual((bad.status, msgspec.json.decode(bad.response_body)["error"]["code"]), (400, -32700))

    def test_limit(self):
        """A stream over the limit of sessions is refused with 429 before it opens."""
        for _ in range(2):
            self.house.ask(b"GET", b"/x/sse")
        exchange = self.house.ask(b"GET", b"/x/sse")
        self.assertEqual((exchange.status, exchange.streams), (429, []))

    def test_streamable_on_sse_url(self):
        """A Streamable HTTP client that was given the /sse URL works there."""
        session = self.house.initialize(path=b"/x/sse")
        get = self.house.ask(b"GET", b"/x/sse", mcp_session_id=session)
        self.assertEqual(events(get.streams[0].data), [])
        self.assertEqual(self.house.ask(b"DELETE", b"/x/sse", mcp_session_id=session).status, 204)
