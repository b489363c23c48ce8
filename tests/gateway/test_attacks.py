"""Tests of what hostile or unlucky clients do to sessions, streams and calls."""

import msgspec
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mcpfront.config.model import ToolFilter
from mcpfront.errors import HandshakeFailed, Unavailable
from tests.gateway.support import Bounds, House, SessionCase, events

INIT = b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}'
LIST = b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}'
LOG = b'{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"x"}}'
PROGRESS = b'{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}'


class MessageUrlTests(SynchronousTestCase):
    """What stands in the query of an HTTP+SSE POST."""

    def test_odd_queries(self):
        """A query of many fields, or of bytes that no session id has, is a bad request and no fault."""
        house = House()
        for query in (b"a&" * 50 + b"sessionId=x", b"sessionId=%ff%fe", b"sessionId=\xff", b"", b"sessionId"):
            exchange = house.ask(path=b"/x/message", query=query, body=INIT)
            self.assertEqual(exchange.status, 400, query)
        self.assertEqual(house.log.failures, [])


class DirectionTests(SynchronousTestCase):
    """Requests without an id and notifications with one."""

    CALL = b'{"jsonrpc":"2.0","method":"tools/call","params":{"name":"hidden"}}'
    CANCEL = b'{"jsonrpc":"2.0","id":1,"method":"notifications/cancelled","params":{"requestId":7}}'

    def setUp(self):
        self.house = House(tool_filter=ToolFilter(mode="block", list=["hidden"]))

    def untouched(self) -> None:
        """See that the server got nothing."""
        (connection,) = self.house.upstream.connections
        self.assertEqual((connection.calls, connection.notes), ([], []))

    def test_streamable(self):
        """Neither a call without an id nor a cancellation with one reaches the server."""
        session = self.house.initialize(b"2025-03-26")
        for body in (self.CALL, self.CANCEL):
            exchange = self.house.ask(body=body, mcp_session_id=session)
            self.assertEqual((exchange.status, b"-32600" in exchange.response_body), (400, True))
            exchange = self.house.ask(body=b"[" + body + b"]", mcp_session_id=session)
            self.assertIn(b"-32600", exchange.response_body)
        self.untouched()

    def test_message_url(self):
        """The same holds for HTTP+SSE."""
        stream = self.house.ask(b"GET", b"/x/sse").streams[0]
        query = b"sessionId=" + stream.data.split(b"sessionId=")[1].split(b"\n")[0]
        self.house.ask(path=b"/x/message", query=query, body=INIT)
        for body in (self.CALL, self.CANCEL):
            self.assertEqual(self.house.ask(path=b"/x/message", query=query, body=body).status, 400)
        self.untouched()


class HeaderTests(SynchronousTestCase):
    """Headers that come in several lines."""

    def test_two_session_ids(self):
        """Two session ids are refused, equal or not: nobody can tell whose request it is."""
        house = House()
        session = house.initialize()
        for method in (b"GET", b"POST", b"DELETE"):
            exchange = house.ask(method, body=LIST, mcp_session_id=[session, session])
            self.assertEqual(exchange.status, 400, method)
        self.assertEqual((len(house.table), house.upstream.connections[0].calls), (1, []))

    def test_accept_in_lines(self):
        """Several Accept lines are one list."""
        house = House()
        session = house.initialize()
        accept = [b"application/json", b"text/event-stream"]
        exchange = house.call("tools/list", mcp_session_id=session, accept=accept)
        house.upstream.connections[0].calls[0].say(PROGRESS)
        self.assertEqual(exchange.response_headers[b"content-type"], b"text/event-stream")


class TransportTests(SynchronousTestCase):
    """Sessions of one transport at the URLs of the other."""

    def test_streamable_id_on_message_url(self):
        """A Streamable HTTP session is unknown to the message URL, on which its answers would be lost."""
        house = House()
        session = house.initialize()
        exchange = house.ask(path=b"/x/message", query=b"sessionId=" + session, body=LIST)
        self.assertEqual((exchange.status, house.upstream.connections[0].calls), (404, []))

    def test_message_id_on_streamable_url(self):
        """An HTTP+SSE session is unknown to Streamable HTTP: no second stream takes its answers."""
        house = House()
        stream = house.ask(b"GET", b"/x/sse").streams[0]
        session = stream.data.split(b"sessionId=")[1].split(b"\n")[0]
        for method in (b"GET", b"POST", b"DELETE"):
            exchange = house.ask(method, body=LIST, mcp_session_id=session)
            self.assertEqual(exchange.status, 404, method)
        self.assertEqual(len(house.table), 1)


class StreamTests(SessionCase):
    """Streams that are taken over, left unread or come back too late."""

    def test_resume_while_attached(self):
        """A stream that is resumed while its old client is still there listens once, and can expire."""
        first = self.get()
        self.connection.say(LOG)
        event_id = events(first.streams[0].data)[0][1]
        again = self.get(last_event_id=event_id)
        self.assertTrue(first.streams[0].aborted)
        self.connection.say(LOG)
        self.assertEqual(len(events(again.streams[0].data)), 1)
        again.leave()
        self.house.clock.advance(1000)
        self.house.table.sweep()
        self.assertEqual(len(self.house.table), 0)

    def test_many_unread_streams(self):
        """Streams whose clients read nothing do not gather: only the newest few listen."""
        for _ in range(50):
            stream = self.get().streams[0]
            stream.pause()
            self.connection.say(LOG)
        self.assertEqual(len(self.house.table.find(self.session, *self.owner())._listeners), 4)

    def owner(self):
        (session,) = self.house.table._sessions.values()
        return session.principal, session.server

    def test_answer_no_longer_kept(self):
        """A stream that has ended and whose answer is no longer kept is not replayed as if it were whole."""
        house = self.house = House(Bounds(replay_bytes=2000))
        self.session = house.initialize()
        connection = house.upstream.connections[0]
        call = house.call("tools/list", 9, mcp_session_id=self.session)
        connection.calls[0].say(PROGRESS)
        event_id = events(call.streams[0].data)[0][1]
        call.leave()
        connection.calls[0].reply(b'"' + b"x" * 3000 + b'"')
        self.assertEqual(self.get(last_event_id=event_id).status, 404)

    def test_listening_stream_goes_on(self):
        """A listening stream is resumed with what is left and goes on, even if something was lost."""
        first = self.get()
        self.connection.say(LOG)
        event_id = events(first.streams[0].data)[0][1]
        first.leave()
        again = self.get()
        for _ in range(60):
            self.connection.say(LOG)
        self.assertEqual(len(again.streams), 1)
        resumed = self.get(last_event_id=event_id)
        self.connection.say(LOG)
        self.assertEqual(len(events(resumed.streams[0].data)), 1)


class OpeningTests(SynchronousTestCase):
    """Sessions that end, and callers that wait, while the server is being started."""

    def setUp(self):
        self.house = House()
        self.upstream = self.house.upstream

    def hold(self):
        """Let the next start wait; return what is told of it."""
        told = []
        self.upstream.hold = Deferred(lambda _: told.append("cancelled"))
        return told

    def test_failure_is_shared(self):
        """Of many requests to a server that does not start, one tries; the others share its answer."""
        self.hold()
        waiting = [self.house.call("tools/list", i) for i in range(20)]
        self.upstream.error = HandshakeFailed("no such command")
        self.upstream.hold.callback(None)
        self.assertEqual(len(self.upstream.params), 1)
        for i, exchange in enumerate(waiting):
            answer = msgspec.json.decode(exchange.response_body)
            self.assertEqual((answer["id"], answer["error"]["message"]), (i, "no such command"))

    def test_next_in_turn(self):
        """When the one who tried leaves, the next tries, and the rest of them share what it reaches."""
        self.hold()
        first, *_ = (self.house.call("tools/list", i) for i in range(3))
        first.leave()
        self.assertEqual((len(self.upstream.params), len(self.upstream.connections)), (2, 1))
        self.assertEqual([call.message.id for call in self.upstream.connections[0].calls], [b"1", b"2"])

    def test_stream_closed_meanwhile(self):
        """An HTTP+SSE client that leaves during the handshake takes the start of its server with it."""
        told = self.hold()
        stream = self.house.ask(b"GET", b"/x/sse")
        session = stream.streams[0].data.split(b"sessionId=")[1].split(b"\n")[0]
        self.house.ask(path=b"/x/message", query=b"sessionId=" + session, body=INIT)
        stream.leave()
        self.assertEqual((told, len(self.house.table)), (["cancelled"], 0))
        self.assertEqual((self.house.errors, self.house.log.failures), ([], []))

    def test_deleted_meanwhile(self):
        """A session that is ended during its handshake answers those who wait for it."""
        told = self.hold()
        exchange = self.house.call("tools/list")
        (session,) = self.house.table._sessions
        self.house.ask(b"DELETE", mcp_session_id=session.encode())
        self.assertEqual((told, exchange.status), (["cancelled"], 503))
        self.assertIn(b"the session has ended", exchange.response_body)


class CallTests(SynchronousTestCase):
    """Calls whose end is not their answer."""

    def test_refusal_on_a_stream(self):
        """A call that is refused after its stream has begun is told so on the stream."""
        house = House()
        session = house.initialize()
        exchange = house.call("tools/call", 5, b'{"name":"a"}', mcp_session_id=session)
        call = house.upstream.connections[0].calls[0]
        call.say(PROGRESS)
        call.answer.errback(Unavailable("the session was closed"))
        last = events(exchange.streams[0].data)[-1][2]
        self.assertEqual((last["id"], last["error"]["message"]), (5, "the session was closed"))
        self.assertTrue(exchange.streams[0].finished)

    def test_late_refusal_of_initialize(self):
        """An initialize that is refused after it became a stream is told so on the stream."""
        house = House()
        house.upstream.hold = Deferred()
        exchange = house.call("initialize", 5)
        house.clock.advance(15)
        house.alive.tick()
        house.upstream.error = Unavailable("full")
        house.upstream.hold.callback(None)
        last = events(exchange.streams[0].data)[-1][2]
        self.assertEqual((last["id"], last["error"]["message"], len(house.table)), (5, "full", 0))

    def test_large_calls(self):
        """Requests are kept until they are answered, so that their bytes are bounded too."""
        house = House()
        session = house.initialize()
        params = b'{"x":"' + b"x" * (4 << 20) + b'"}'
        given = [house.call("tools/list", i, params, mcp_session_id=session) for i in range(5)]
        self.assertEqual([exchange.status for exchange in given], [0, 0, 0, 429, 429])
        house.upstream.connections[0].calls[0].reply()
        again = house.call("tools/list", 9, params, mcp_session_id=session)
        self.assertEqual((given[0].status, again.status), (200, 0))

    def test_large_calls_over_messages(self):
        """The same holds for HTTP+SSE, whose POSTs are answered at once."""
        house = House()
        stream = house.ask(b"GET", b"/x/sse").streams[0]
        query = b"sessionId=" + stream.data.split(b"sessionId=")[1].split(b"\n")[0]
        body = b'{"jsonrpc":"2.0","id":1,"method":"m","params":{"x":"' + b"x" * (4 << 20) + b'"}}'
        given = [house.ask(path=b"/x/message", query=query, body=body).status for _ in range(5)]
        self.assertEqual(given, [202, 202, 202, 429, 429])

    def test_batch_of_a_client_that_left(self):
        """A batch without a session id ends with its client: nobody could come back for the answers."""
        house = House()
        exchange = house.ask(body=b"[" + LIST + b"," + LIST + b"]")
        calls = house.upstream.connections[0].calls
        exchange.leave()
        self.assertEqual([call.answer.called for call in calls], [True, True])
        self.assertEqual(house.log.failures, [])
