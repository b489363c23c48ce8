"""Clients that mean harm or do not know better."""

import string

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.listen.engine import HEAD, Engine, EngineCase

GET = b"GET /x/mcp HTTP/1.1\r\nHost: gw\r\n"


class MalformedTests(EngineCase):
    """Requests that are no HTTP get 400, one answer, and a closed connection."""

    def assert_refused(self, data, status=400):
        """Check that bytes are refused and no handler was called."""
        client = self.engine.client()
        answer = client.send(data)
        self.assertEqual((client.status, client.closing or status == 431), (status, True), data[:80])
        self.assertEqual(answer.count(b"HTTP/1.1 "), 1)
        self.assertIn(b'"message"', answer)
        self.assertEqual(self.engine.exchanges, [])

    def test_request_line(self):
        """A request line that is none is refused."""
        for line in (
            b"GET",
            b"GET /x/mcp",
            b"GET /x/mcp HTTP/2.0",
            b"G@T /x/mcp HTTP/1.1",
            b"GET  /x/mcp HTTP/1.1",
            b"\x16\x03\x01\x02\x00\x01\x00",
            b"GET /x/\x00 HTTP/1.1",
            b"GET /x/\xff HTTP/1.1",
            b"GET x/mcp HTTP/1.1",
            b"GET /x/mcp#f HTTP/1.1",
            b"GET ftp://gw/x/mcp HTTP/1.1",
            b"CONNECT gw:1 HTTP/1.1",
            b"GET http://other/x/mcp HTTP/1.1",
        ):
            self.assert_refused(line + b"\r\nHost: gw\r\n\r\n")

    def test_host(self):
        """Exactly one well-formed Host header is wanted."""
        for hosts in (
            b"",
            b"Host: a\r\nHost: a\r\n",
            b"Host: a\r\nHost: b\r\n",
            b"Host: \r\n",
            b"Host: a b\r\n",
            b"Host: a/b\r\n",
            b"Host: u@a\r\n",
            b"Host: a:123456\r\n",
            b"Host: [::1\r\n",
        ):
            self.assert_refused(b"GET /x/mcp HTTP/1.1\r\n" + hosts + b"\r\n")

    def test_lengths(self):
        """Two lengths, two codings, or both, are refused: two readers would disagree about them."""
        for headers in (
            b"Content-Length: 1\r\nContent-Length: 1\r\n",
            b"Content-Length: 1\r\nContent-Length: 2\r\n",
            b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
            b"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n",
            b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            b"Transfer-Encoding: gzip, chunked\r\n",
            b"Transfer-Encoding: x\r\n",
            b"Content-Length: -1\r\n",
            b"Content-Length: +1\r\n",
            b"Content-Length: 1, 1\r\n",
            b"Content-Length: 0x1\r\n",
            b"Content-Length: \r\n",
            b"Content-Length: " + b"9" * 5000 + b"\r\n",
        ):
            self.assert_refused(HEAD + headers + b"\r\nx")

    def test_headers(self):
        """A header with NUL, no colon, a space before the colon or a bare line end is refused."""
        for header in (b"X: a\x00b", b"nonsense", b"X : a", b"X\x00: a", b": a", b"X: a\rb", b"X: a\nY: b"):
            self.assert_refused(GET + header + b"\r\n\r\n")

    def test_bad_header_in_the_middle(self):
        """A malformed header that is not the last one ends the request too."""
        self.assert_refused(GET + b"nonsense\r\nX: a\r\nContent-Length: 1\r\n\r\nx" + GET + b"\r\n")

    def test_chunks(self):
        """A chunk length that is no number, or a chunk longer than it says, is refused."""
        for chunk in (b"zz\r\n", b"-1\r\n", b"1\r\nabc\r\n", b"0x1\r\na\r\n", b" 1\r\na\r\n", b"f" * 2000):
            self.assert_refused(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk)

    def test_header_flood(self):
        """Too many headers, too long a head or too long a line are refused with 431."""
        self.assert_refused(GET + b"X: y\r\n" * 101 + b"\r\n", 431)
        self.assert_refused(
            GET + b"".join(b"X%d: %s\r\n" % (i, b"y" * 4000) for i in range(10)) + b"\r\n", 431
        )
        self.assert_refused(GET + b"X: " + b"y" * 20000 + b"\r\n\r\n", 431)
        self.assert_refused(b"GET /" + b"y" * 20000, 431)

    def test_endless_header(self):
        """A header that never ends is refused before it fills memory."""
        client = self.engine.client()
        client.send(GET, *[b"y" * 8000] * 20)
        self.assertEqual(client.status, 431)
        self.assertLess(len(client.channel._buffer), 100)

    def test_folded_flood(self):
        """Folded header lines count like others."""
        self.assert_refused(GET + b"X: y\r\n" + b" z\r\n" * 40000 + b"\r\n", 431)

    def test_too_many_connections(self):
        """A connection over the limit is not taken."""
        engine = Engine(connections=2)
        first = [engine.client(), engine.client()]
        self.assertIsNone(engine.site.buildProtocol(None))
        first[0].leave()
        self.assertIsNotNone(engine.client().channel)
        engine.close()

    @settings(max_examples=200, deadline=None)
    @given(st.lists(st.binary(max_size=300), max_size=6))
    def test_any_bytes(self, parts):
        """Whatever the bytes, nothing is raised, no handler sees a broken request and no timer is left."""
        engine = Engine()
        engine.client().send(*parts)
        self.assertEqual(engine.exchanges, [])
        self.assertEqual(engine.close(), [])

    @settings(max_examples=200, deadline=None)
    @given(
        st.text(alphabet=string.ascii_letters + "-", min_size=1, max_size=20),
        st.binary(max_size=60),
        st.integers(0, 200),
    )
    def test_cut_anywhere(self, name, value, cut):
        """A request cut in two at any byte ends as it does in one piece."""
        data = HEAD + b"X-" + name.encode() + b": " + value + b"\r\nContent-Length: 4\r\n\r\nabcd"
        one, two = Engine(), Engine()
        whole, parts = one.client(), two.client()
        whole.send(data)
        parts.send(data[:cut], data[cut:])
        self.assertEqual(whole.status, parts.status)
        self.assertEqual([e.body for e in one.exchanges], [e.body for e in two.exchanges])
        self.assertEqual(one.close() + two.close(), [])


class SlowTests(EngineCase):
    """Total deadlines: a byte now and then does not help."""

    def drip(self, client, data, seconds):
        """Send one byte each second."""
        for index in range(seconds):
            client.send(data[index : index + 1])
            self.engine.clock.advance(1)

    def test_silent(self):
        """A connection that says nothing is closed without an answer."""
        client = self.engine.client()
        self.engine.clock.advance(20)
        self.assertEqual((client.wire.value(), client.closing), (b"", True))

    def test_slow_head(self):
        """A head that drips in is refused with 408 when its time is over."""
        client = self.engine.client()
        self.drip(client, GET, 19)
        self.assertFalse(client.closing)
        self.drip(client, GET[19:], 1)
        self.assertEqual((client.status, client.closing), (408, True))

    def test_slow_body(self):
        """A body that drips in is refused with 408 when its time is over."""
        client = self.engine.client()
        client.send(HEAD + b"Content-Length: 100\r\n\r\n")
        self.drip(client, b"x" * 100, 59)
        self.assertFalse(client.closing)
        self.drip(client, b"x" * 100, 1)
        self.assertEqual((client.status, client.closing), (408, True))
        self.assertEqual(self.engine.exchanges, [])

    def test_slow_chunks(self):
        """A chunked body of single bytes is held to the same time."""
        client = self.engine.client()
        client.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(60):
            client.send(b"1\r\nx\r\n")
            self.engine.clock.advance(1)
        self.assertEqual(client.status, 408)

    def test_slow_second_head(self):
        """The deadline of a later request begins with its first byte."""
        client = self.engine.client()
        client.send(GET + b"\r\n")
        self.engine.clock.advance(70)
        self.assertFalse(client.closing)
        self.drip(client, GET, 20)
        self.assertTrue(client.closing)

    def test_slow_second_head_in_one_segment(self):
        """Half a request that came together with a whole one is held to the deadline of heads."""
        client = self.engine.client()
        client.send(GET + b"\r\n" + GET)
        self.engine.clock.advance(20)
        self.assertTrue(client.closing)

    def test_idle(self):
        """A kept connection that asks for nothing is closed."""
        client = self.engine.client()
        client.send(GET + b"\r\n")
        self.engine.clock.advance(74)
        self.assertFalse(client.closing)
        self.engine.clock.advance(1)
        self.assertTrue(client.closing)

    def test_long_call(self):
        """A call may take longer than any of these times."""
        self.engine.hold = True
        client = self.engine.client()
        client.send(GET + b"\r\n")
        self.engine.clock.advance(3600)
        self.assertFalse(client.closing)
        self.engine.exchanges[0].respond(200, [], b"")
        self.assertEqual(client.status, 200)

    def test_never_closes(self):
        """A client that does not let go of a closed connection is dropped."""
        client = self.engine.client()
        client.send(b"nonsense\r\n")
        self.assertFalse(client.wire.aborted)
        self.engine.clock.advance(15)
        self.assertTrue(client.wire.aborted)
        self.engine.clock.advance(0)

    def test_half_a_request(self):
        """A client that leaves in the middle of its request leaves nothing behind."""
        for data in (
            GET,
            HEAD + b"Content-Length: 10\r\n\r\nabc",
            HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab",
        ):
            client = self.engine.client()
            client.send(data)
            client.leave()
        self.assertEqual((self.engine.exchanges, self.engine.site.connections), ([], 0))
