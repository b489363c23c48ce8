"""Answers written bit by bit: back-pressure, clients that leave, clients that read nothing."""

from tests.listen.engine import EngineCase, Listener

GET = b"GET /x/mcp HTTP/1.1\r\nHost: gw\r\n\r\n"
HEADERS = [(b"Content-Type", b"text/event-stream")]


class StreamTests(EngineCase):
    """A stream and its listener."""

    def setUp(self):
        super().setUp()
        self.engine.hold = True
        self.client = self.engine.client()
        self.client.send(GET)
        self.exchange = self.engine.exchanges[0]
        self.listener = Listener()

    def open(self):
        """Begin to answer."""
        return self.exchange.stream(200, HEADERS, self.listener)

    def settle(self):
        """Let what was put off happen."""
        self.engine.clock.advance(0)

    def congest(self):
        """Fill the client's buffers."""
        self.client.wire.producer.pauseProducing()
        self.settle()

    def test_head_at_once(self):
        """The head is sent before anything is written."""
        self.open()
        self.assertIn(b"Content-Type: text/event-stream\r\n", self.client.wire.value())
        self.assertTrue(self.client.wire.value().endswith(b"\r\n\r\n"))

    def test_chunks(self):
        """What is written is sent at once, counted, and ended in order; the connection stays."""
        stream = self.open()
        stream.write(b"abc")
        stream.write(b"")
        self.assertTrue(self.client.wire.value().endswith(b"\r\n3\r\nabc\r\n"))
        stream.finish()
        self.assertTrue(self.client.wire.value().endswith(b"0\r\n\r\n"))
        self.assertEqual((self.exchange.sent, self.client.closing), (3, False))
        self.client.send(GET)
        self.assertEqual(len(self.engine.exchanges), 2)

    def test_after_finish(self):
        """What comes after the end is ignored."""
        stream = self.open()
        stream.finish()
        before = self.client.wire.value()
        stream.write(b"late")
        stream.finish()
        stream.abort()
        self.assertEqual(self.client.wire.value(), before)
        self.assertFalse(self.client.closing)

    def test_gone(self):
        """A client that leaves is told of once, and what is written then is ignored."""
        stream = self.open()
        left = []
        self.exchange.when_gone(lambda: left.append(1))
        self.client.leave()
        stream.write(b"late")
        stream.finish()
        stream.abort()
        self.assertEqual((self.listener.told, left, self.exchange.gone), (["gone"], [1], True))

    def test_gone_before(self):
        """A stream for a client that has left takes everything and says nothing."""
        self.client.leave()
        stream = self.open()
        stream.write(b"x")
        stream.finish()
        self.assertEqual((self.listener.told, self.exchange.status), ([], 0))

    def test_when_gone_late(self):
        """A callback that is added after the client has left is called at once."""
        self.client.leave()
        left = []
        self.exchange.when_gone(lambda: left.append(1))
        self.assertEqual(left, [1])

    def test_when_gone_faulty(self):
        """A callback that fails does not keep the others in the dark."""
        left = []
        self.open()
        self.exchange.when_gone(lambda: 1 / 0)
        self.exchange.when_gone(lambda: left.append(1))
        self.client.leave()
        self.assertEqual((left, self.listener.told), ([1], ["gone"]))
        self.assertIn("ZeroDivisionError", self.log.getvalue())

    def test_respond_after_gone(self):
        """An answer for a client that has left is dropped."""
        self.client.leave()
        self.exchange.respond(200, [], b"x")
        self.assertEqual((self.exchange.status, self.client.wire.value()), (0, b""))

    def test_nobody_told_after_answer(self):
        """A client that leaves after the answer is no news."""
        left = []
        self.exchange.when_gone(lambda: left.append(1))
        self.exchange.respond(200, [], b"x")
        self.exchange.when_gone(lambda: left.append(2))
        self.client.leave()
        self.assertEqual((left, self.exchange.gone), ([], False))

    def test_abort(self):
        """Abort drops the connection and the listener, who did it, is not told."""
        stream = self.open()
        left = []
        self.exchange.when_gone(lambda: left.append(1))
        stream.abort()
        self.settle()
        self.assertTrue(self.client.wire.aborted)
        self.assertEqual((self.listener.told, left), ([], []))

    def test_paused(self):
        """A slow client is told of from outside of write, and again when it has caught up."""
        stream = self.open()
        self.client.wire.producer.pauseProducing()
        self.assertEqual(self.listener.told, [])
        self.settle()
        self.assertEqual(self.listener.told, ["paused"])
        stream.write(b"still sent")
        self.assertIn(b"still sent", self.client.wire.value())
        self.client.wire.producer.resumeProducing()
        self.settle()
        self.assertEqual(self.listener.told, ["paused", "resumed"])

    def test_short_pause(self):
        """A pause that is over before it could be told of is not told of."""
        self.open()
        self.client.wire.producer.pauseProducing()
        self.client.wire.producer.resumeProducing()
        self.settle()
        self.assertEqual(self.listener.told, [])

    def test_finish_while_paused(self):
        """A stream that ends while its client is slow leaves no timer of its own."""
        stream = self.open()
        self.congest()
        stream.finish()
        self.client.wire.producer.resumeProducing()
        self.settle()
        self.assertEqual(self.listener.told, ["paused"])

    def test_congested_from_the_start(self):
        """A stream on a connection that is full already begins paused."""
        self.client.wire.producer.pauseProducing()
        self.open()
        self.settle()
        self.assertEqual(self.listener.told, ["paused"])

    def test_reads_nothing(self):
        """A client that reads nothing for too long is dropped, and the listener is told."""
        self.open()
        self.congest()
        self.engine.clock.advance(59)
        self.assertFalse(self.client.wire.aborted)
        self.engine.clock.advance(1)
        self.settle()
        self.assertTrue(self.client.wire.aborted)
        self.assertEqual(self.listener.told, ["paused", "gone"])
        self.assertIn("stream dropped", self.log.getvalue())

    def test_buffer_is_bounded(self):
        """A writer that does not heed the pause cannot fill memory: the client is dropped."""
        stream = self.open()
        self.congest()
        for _ in range(1000):
            stream.write(b"x" * 10_000)
        self.assertLess(len(self.client.wire.value()), 1024 * 1024 + 30_000)
        self.assertTrue(self.client.wire.aborted)
        self.settle()
        self.assertEqual(self.listener.told, ["paused", "gone"])
        self.assertEqual(self.log.getvalue().count("stream dropped"), 1)

    def test_resume_resets_the_buffer(self):
        """A client that catches up now and then is never dropped."""
        stream = self.open()
        for _ in range(20):
            self.congest()
            stream.write(b"x" * 500_000)
            self.client.wire.producer.resumeProducing()
            self.settle()
        self.assertFalse(self.client.wire.aborted)

    def test_head_request(self):
        """HEAD on a stream sends the head alone."""
        client = self.engine.client()
        client.send(b"HEAD /x/mcp HTTP/1.1\r\nHost: gw\r\n\r\n")
        stream = self.engine.exchanges[1].stream(200, HEADERS, self.listener)
        stream.write(b"abc")
        stream.finish()
        self.assertNotIn(b"abc", client.wire.value())

    def test_http_1_0(self):
        """An old client gets the stream bare, and its end by the end of the connection."""
        client = self.engine.client()
        client.send(b"GET /x/mcp HTTP/1.0\r\n\r\n")
        stream = self.engine.exchanges[1].stream(200, HEADERS, self.listener)
        stream.write(b"abc")
        stream.finish()
        self.assertTrue(client.wire.value().endswith(b"\r\n\r\nabc"))
        self.assertTrue(client.closing)


class DrainTests(EngineCase):
    """Connections when the gateway stops."""

    def test_idle(self):
        """Connections that wait for a request are closed at once."""
        quiet, kept = self.engine.client(), self.engine.client()
        kept.send(GET)
        self.engine.site.drain()
        self.assertEqual((quiet.closing, kept.closing), (True, True))

    def test_busy(self):
        """An answer in progress is completed, says that it is the last, and ends its connection."""
        self.engine.hold = True
        client = self.engine.client()
        client.send(GET)
        self.engine.site.drain()
        self.assertFalse(client.closing)
        self.engine.exchanges[0].respond(200, [], b"done")
        self.assertIn(b"Connection: close\r\n", client.wire.value())
        self.assertTrue(client.closing)

    def test_streaming(self):
        """A stream goes on until its owner ends it, then its connection is closed."""
        self.engine.hold = True
        client = self.engine.client()
        client.send(GET)
        stream = self.engine.exchanges[0].stream(200, HEADERS, Listener())
        self.engine.site.drain()
        stream.write(b"last words")
        stream.finish()
        self.assertIn(b"last words", client.wire.value())
        self.assertTrue(client.closing)

    def test_arriving(self):
        """A request that is half here when the drain begins is still answered, as the last one."""
        for cut in (5, 25):
            client = self.engine.client()
            client.send(GET[:cut])
            self.engine.site.drain()
            client.send(GET[cut:])
            self.assertEqual((client.status, client.closing), (200, True))

    def test_abort(self):
        """Whatever is left can be dropped, and the count goes down to nothing."""
        self.engine.hold = True
        clients = [self.engine.client() for _ in range(3)]
        clients[0].send(GET)
        self.engine.exchanges[0].stream(200, HEADERS, Listener())
        self.engine.site.abort()
        self.engine.clock.advance(0)
        self.assertTrue(all(client.wire.aborted for client in clients))
        self.assertEqual(self.engine.site.connections, 0)
