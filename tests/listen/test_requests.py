"""Requests on their way in: shared out between the planes, bounded while they arrive."""

from tests.listen.engine import HEAD, Engine, EngineCase


class RequestTests(EngineCase):
    """What handlers see of a request and what clients see of an answer."""

    def test_exchange(self):
        """An exchange carries method, raw path, query, headers, body and peer."""
        self.engine.client().send(
            b"POST /x/m%20p?a=%31 HTTP/1.1\r\nHost: gw\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 3\r\n\r\nabc"
        )
        exchange = self.engine.exchanges[0]
        self.assertEqual((exchange.method, exchange.path, exchange.query), (b"POST", b"/x/m%20p", b"a=%31"))
        self.assertEqual((exchange.headers(b"x-a"), exchange.header(b"x-a")), ([b"1", b"2"], b"1"))
        self.assertEqual((exchange.header(b"nope"), exchange.headers(b"nope")), (None, []))
        self.assertEqual(
            (exchange.body, exchange.peer.host, exchange.peer.secure), (b"abc", "127.0.0.1", False)
        )

    def test_answer(self):
        """An answer in one piece has a length, a date, a request id and no word about the engine."""
        answer = self.engine.client().send(b"GET /x/mcp HTTP/1.1\r\nHost: gw\r\n\r\n")
        self.assertIn(b"Content-Length: 2\r\n", answer)
        self.assertIn(b"Date: ", answer)
        self.assertIn(b"X-Request-Id: " + self.engine.exchanges[0].id.encode(), answer)
        self.assertNotIn(b"Server:", answer)
        self.assertEqual((self.engine.exchanges[0].status, self.engine.exchanges[0].sent), (200, 2))

    def test_request_id(self):
        """A well-formed X-Request-Id is kept, anything else is replaced."""
        for given, kept in ((b"abc-1", True), (b"a b", False), (b"x" * 65, False)):
            self.engine.client().send(b"GET /x/mcp HTTP/1.1\r\nHost: gw\r\nX-Request-Id: %s\r\n\r\n" % given)
            self.assertEqual(self.engine.exchanges[-1].id == given.decode(), kept)

    def test_added_headers(self):
        """Headers added before the answer are sent with it."""
        self.engine.hold = True
        client = self.engine.client()
        client.send(b"GET /x/mcp HTTP/1.1\r\nHost: gw\r\n\r\n")
        self.engine.exchanges[0].add_header(b"Vary", b"Origin")
        self.engine.exchanges[0].respond(403, [], b"no")
        self.assertIn(b"Vary: Origin\r\n", client.wire.value())

    def test_header_injection(self):
        """A line break in a header value cannot start another header."""
        self.engine.hold = True
        client = self.engine.client()
        client.send(b"GET /x/mcp HTTP/1.1\r\nHost: gw\r\n\r\n")
        self.engine.exchanges[0].respond(200, [(b"X-A", b"1\r\nSet-Cookie: x")], b"")
        self.assertNotIn(b"\r\nSet-Cookie", client.wire.value())

    def test_head(self):
        """HEAD is answered with the length and without the body."""
        answer = self.engine.client().send(b"HEAD /x/mcp HTTP/1.1\r\nHost: gw\r\n\r\n")
        self.assertIn(b"Content-Length: 2\r\n", answer)
        self.assertTrue(answer.endswith(b"\r\n\r\n"))

    def test_no_content(self):
        """204 has neither length nor body."""
        self.engine.hold = True
        client = self.engine.client()
        client.send(b"OPTIONS /x/mcp HTTP/1.1\r\nHost: gw\r\n\r\n")
        self.engine.exchanges[0].respond(204, [], b"")
        self.assertNotIn(b"Content-Length", client.wire.value())
        self.assertNotIn(b"chunked", client.wire.value())

    def test_twice(self):
        """An exchange that is answered twice is a fault of the handler."""
        self.engine.client().send(b"GET /x/mcp HTTP/1.1\r\nHost: gw\r\n\r\n")
        with self.assertRaises(RuntimeError):
            self.engine.exchanges[0].respond(200, [], b"")

    def test_keep_alive(self):
        """A connection serves one request after another."""
        client = self.engine.client()
        for _ in range(3):
            client.send(HEAD + b"Content-Length: 2\r\n\r\n{}")
        self.assertEqual(len(self.engine.exchanges), 3)
        self.assertFalse(client.closing)

    def test_connection_close(self):
        """A client that asks for it gets its connection closed after the answer."""
        client = self.engine.client()
        answer = client.send(b"GET /x/mcp HTTP/1.1\r\nHost: gw\r\nConnection: close\r\n\r\n")
        self.assertIn(b"Connection: close\r\n", answer)
        self.assertTrue(client.closing)

    def test_http_1_0(self):
        """HTTP/1.0 is served, without a Host too, and closed."""
        client = self.engine.client()
        client.send(b"GET /x/mcp HTTP/1.0\r\n\r\n")
        self.assertEqual((client.status, client.closing), (200, True))

    def test_byte_by_byte(self):
        """Bytes that come one at a time yield the same request as all at once."""
        data = HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
        self.engine.client().send(*(data[i : i + 1] for i in range(len(data))))
        self.engine.client().send(data)
        self.assertEqual([exchange.body for exchange in self.engine.exchanges], [b"abcde", b"abcde"])

    def test_pipelining(self):
        """Pipelined requests are answered in order, the second after the first."""
        self.engine.hold = True
        client = self.engine.client()
        client.send((HEAD + b"Content-Length: 1\r\n\r\n1") * 3)
        for number in range(3):
            self.assertEqual(len(self.engine.exchanges), number + 1)
            self.engine.exchanges[number].respond(200, [], b"%d" % number)
        self.assertEqual(
            [part[-1:] for part in client.wire.value().split(b"HTTP/1.1")[1:]], [b"0", b"1", b"2"]
        )

    def test_pipelining_flood(self):
        """A flood of pipelined requests is read no faster than it is answered."""
        self.engine.hold = True
        client = self.engine.client()
        client.send(*[b"GET /x/mcp HTTP/1.1\r\nHost: gw\r\n\r\n" * 1000] * 2)
        self.assertEqual(len(self.engine.exchanges), 1)
        self.assertEqual(client.wire.producerState, "paused")

    def test_pipelining_depth(self):
        """Thousands of pipelined requests answered at once do not nest."""
        client = self.engine.client()
        client.send((HEAD + b"Content-Length: 1\r\n\r\n1") * 3000)
        self.assertEqual(len(self.engine.exchanges), 3000)

    def test_absolute_form(self):
        """A target with scheme and host is served when the host is that of the Host header."""
        self.engine.client().send(b"GET http://GW/x/mcp?q HTTP/1.1\r\nHost: gw\r\n\r\n")
        self.assertEqual((self.engine.exchanges[0].path, self.engine.exchanges[0].query), (b"/x/mcp", b"q"))

    def test_handler_fault(self):
        """A handler that raises is answered with 500 in JSON, without its words."""
        self.engine.take = None
        self.engine.site._data_plane = lambda _exchange: 1 / 0
        client = self.engine.client()
        answer = client.send(b"GET /x/mcp HTTP/1.1\r\nHost: gw\r\n\r\n")
        self.assertEqual(client.status, 500)
        self.assertNotIn(b"division", answer)
        self.assertIn("ZeroDivisionError", self.log.getvalue())


class ControlPlaneTests(EngineCase):
    """What is not the data plane's."""

    def test_lazy(self):
        """The control plane is made for its first request and only once."""
        client = self.engine.client()
        client.send(b"GET /x/mcp HTTP/1.1\r\nHost: gw\r\n\r\n")
        self.assertEqual(self.engine.made, 0)
        for _ in range(2):
            client.send(b"GET /health HTTP/1.1\r\nHost: gw\r\n\r\n")
        self.assertEqual(self.engine.made, 1)
        self.assertTrue(client.wire.value().endswith(b"well"))

    def test_log(self):
        """Answers of the control plane are told of, those of the data plane are not."""
        client = self.engine.client()
        client.send(b"GET /x/mcp HTTP/1.1\r\nHost: gw\r\n\r\n", b"GET /health?a HTTP/1.1\r\nHost: gw\r\n\r\n")
        self.assertEqual(self.engine.controls, [(b"GET", b"/health", 200, 4, 0.0)])

    def test_no_server_header(self):
        """Pages do not tell which engine serves them."""
        self.assertNotIn(b"Server", self.engine.client().send(b"GET /health HTTP/1.1\r\nHost: gw\r\n\r\n"))

    def test_odd_targets(self):
        """A path that is no UTF-8 and a star are answered without asking a resource."""
        for target, method, status in ((b"/%ff", b"GET", 400), (b"*", b"OPTIONS", 204), (b"*", b"GET", 400)):
            client = self.engine.client()
            client.send(b"%s %s HTTP/1.1\r\nHost: gw\r\n\r\n" % (method, target))
            self.assertEqual(client.status, status)
        self.assertEqual(self.engine.made, 0)


class BodyLimitTests(EngineCase):
    """Bodies are refused while they arrive."""

    def assert_refused(self, client, status=413):
        """Check that the client was refused and nobody was called."""
        self.assertEqual(client.status, status)
        self.assertEqual(self.engine.exchanges, [])
        self.assertIn(b"Connection: close", client.wire.value())

    def test_announced(self):
        """A length over the limit is refused before any of the body has come."""
        client = self.engine.client()
        client.send(HEAD + b"Content-Length: 1001\r\n\r\n")
        self.assert_refused(client)

    def test_at_the_limit(self):
        """A body of exactly the limit is taken."""
        self.engine.client().send(HEAD + b"Content-Length: 1000\r\n\r\n" + b"x" * 1000)
        self.assertEqual(len(self.engine.exchanges[0].body), 1000)

    def test_unauthorized(self):
        """Without a credential the limit is the smaller one."""
        client = self.engine.client()
        answer = client.send(b"POST /x/mcp HTTP/1.1\r\nHost: gw\r\nContent-Length: 101\r\n\r\n")
        self.assert_refused(client)
        self.assertIn(b"without a credential", answer)
        self.assertIn("status=413", self.log.getvalue())

    def test_chunked(self):
        """An endless chunked body is refused once it is over the limit."""
        client = self.engine.client()
        client.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *[b"64\r\n" + b"x" * 100 + b"\r\n"] * 11)
        self.assert_refused(client)

    def test_rest_is_discarded(self):
        """What follows a refusal is read for a while, so that the answer arrives, and never kept."""
        client = self.engine.client()
        client.send(HEAD + b"Content-Length: 9999999\r\n\r\n", *[b"x" * 65536] * 64)
        self.assertFalse(client.closing)
        self.assertEqual((client.channel._buffer, client.channel._dataBuffer), (b"", []))
        self.assertEqual(client.wire.value().count(b"HTTP/1.1"), 1)
        self.engine.clock.advance(2)
        self.assertTrue(client.closing)

    def test_discard_is_bounded(self):
        """A client that goes on sending after its refusal is dropped before the time is over."""
        self.engine.site.limits = Engine(linger_bytes=100_000).site.limits
        client = self.engine.client()
        client.send(HEAD + b"Content-Length: 9999999\r\n\r\n", *[b"x" * 65536] * 2)
        self.assertTrue(client.wire.aborted)
        self.engine.clock.advance(0)

    def test_no_continue(self):
        """A client that waits for 100 Continue gets the refusal instead."""
        client = self.engine.client()
        answer = client.send(HEAD + b"Expect: 100-continue\r\nContent-Length: 1001\r\n\r\n")
        self.assert_refused(client)
        self.assertNotIn(b"100 Continue", answer)

    def test_continue(self):
        """A client that waits for 100 Continue with an acceptable length gets it."""
        answer = self.engine.client().send(HEAD + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        self.assertEqual(answer, b"HTTP/1.1 100 Continue\r\n\r\n")

    def test_cors(self):
        """A web page may read the refusal."""
        client = self.engine.client()
        answer = client.send(HEAD + b"Origin: https://a\r\nContent-Length: 1001\r\n\r\n")
        self.assertIn(b"Access-Control-Allow-Origin: https://a\r\n", answer)

    def test_pipelined_after_refusal(self):
        """Requests that follow a refused one are not served."""
        client = self.engine.client()
        client.send(HEAD + b"Content-Length: 1001\r\n\r\n" + b"GET /x/mcp HTTP/1.1\r\nHost: gw\r\n\r\n" * 50)
        self.assert_refused(client)
