"""Tests of what hostile or unlucky clients do to sessions, streams and calls."""

from twisted.trial.unittest import SynchronousTestCase

from tests.gateway.support import House

INIT = b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}'


class MessageUrlTests(SynchronousTestCase):
    """What stands in the query of an HTTP+SSE POST."""

    def test_odd_queries(self):
        """A query of many fields, or of bytes that no session id has, is a bad request and no fault."""
        house = House()
        for query in (b"a&" * 50 + b"sessionId=x", b"sessionId=%ff%fe", b"sessionId=\xff", b"", b"sessionId"):
            exchange = house.ask(path=b"/x/message", query=query, body=INIT)
            self.assertEqual(exchange.status, 400, query)
        self.assertEqual(house.log.failures, [])
