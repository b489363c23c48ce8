"""The exchange of the test kit keeps the promises of the seam."""

from twisted.trial.unittest import SynchronousTestCase

from mcpfront.testing.exchange import MemoryExchange
from tests.listen.engine import Listener


class MemoryExchangeTests(SynchronousTestCase):
    """An exchange in memory."""

    def test_request(self):
        """Headers are found in lower case, a list stands for several lines."""
        exchange = MemoryExchange(headers={b"Accept": b"x", b"X-A": [b"1", b"2"]})
        self.assertEqual((exchange.header(b"accept"), exchange.headers(b"x-a")), (b"x", [b"1", b"2"]))
        self.assertEqual((exchange.header(b"y"), exchange.headers(b"y")), (None, []))

    def test_answer(self):
        """An answer is kept with the headers that were added before."""
        exchange = MemoryExchange()
        exchange.add_header(b"Vary", b"Origin")
        exchange.respond(200, [(b"X-B", b"1")], b"body")
        self.assertEqual(exchange.response_headers, {b"vary": b"Origin", b"x-b": b"1"})
        self.assertEqual((exchange.response_status, exchange.response_body, exchange.sent), (200, b"body", 4))

    def test_twice(self):
        """A second answer is a fault of the handler."""
        exchange = MemoryExchange()
        exchange.respond(200, [], b"")
        with self.assertRaises(AssertionError):
            exchange.respond(200, [], b"")

    def test_stream(self):
        """A stream keeps what is written until its end."""
        exchange, listener = MemoryExchange(), Listener()
        stream = exchange.stream(200, [], listener)
        stream.write(b"a")
        stream.finish()
        stream.write(b"b")
        self.assertEqual((exchange.streams[0].data, exchange.streams[0].finished), (b"a", True))

    def test_client(self):
        """The test plays a client that is slow, catches up and leaves."""
        exchange, listener, left = MemoryExchange(), Listener(), []
        stream = exchange.stream(200, [], listener)
        exchange.when_gone(lambda: left.append(1))
        stream.pause()
        stream.resume()
        stream.leave()
        stream.write(b"late")
        self.assertEqual((listener.told, left), (["paused", "resumed", "gone"], [1]))
        self.assertEqual((stream.data, exchange.gone), (b"", True))

    def test_abort(self):
        """An aborted stream tells nobody."""
        exchange, listener = MemoryExchange(), Listener()
        stream = exchange.stream(200, [], listener)
        stream.abort()
        exchange.leave()
        self.assertEqual((stream.aborted, listener.told), (True, []))

    def test_gone(self):
        """An answer to a client that has left is dropped; a late callback is called at once."""
        exchange, left = MemoryExchange(), []
        exchange.leave()
        exchange.when_gone(lambda: left.append(1))
        exchange.respond(200, [], b"x")
        self.assertEqual((exchange.response_status, left), (0, [1]))
