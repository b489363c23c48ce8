"""Tests of Streamable HTTP on a played server."""

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from mcpfront.config.model import ToolFilter
from mcpfront.errors import HandshakeFailed, HandshakeRefused, TooManyRequests
from tests.gateway.support import RESULT, Bounds, House, SessionCase, events

PROGRESS = b'{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}'
LOG = b'{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"x"}}'
ASK = b'{"jsonrpc":"2.0","id":900,"method":"sampling/createMessage","params":{}}'


class InitializeTests(SynchronousTestCase):
    """How a session begins."""

    def setUp(self):
        self.house = House()

    def test_relays_result(self):
        """The server's InitializeResult reaches the client byte for byte, with a session id."""
        exchange = self.house.call("initialize", 7, b'{"protocolVersion":"2025-06-18","x":1e400}')
        self.assertEqual(exchange.response_body, b'{"jsonrpc":"2.0","id":7,"result":' + RESULT + b"}")
        self.assertTrue(exchange.response_headers[b"mcp-session-id"])
        self.assertEqual(self.house.upstream.params, [b'{"protocolVersion":"2025-06-18","x":1e400}'])

    def test_refused_by_server(self):
        """The server's own error to initialize is passed on and no session remains."""
        self.house.upstream.error = HandshakeRefused("no", b'{"code":-32602,"message":"bad","data":[1]}')
        exchange = self.house.call("initialize")
        self.assertIn(b'"error":{"code":-32602,"message":"bad","data":[1]}', exchange.response_body)
        self.assertNotIn(b"mcp-session-id", exchange.response_headers)
        self.assertEqual(len(self.house.table), 0)

    def test_failed(self):
        """A server that does not start gives a JSON-RPC error that says so, and no session."""
        self.house.upstream.error = HandshakeFailed("the server did not start")
        exchange = self.house.call("initialize")
        self.assertEqual(msgspec.json.decode(exchange.response_body)["error"]["code"], -32000)
        self.assertEqual((exchange.status, len(self.house.table)), (200, 0))

    def test_limit(self):
        """The session over the limit is answered with 429, when to retry, and what to do."""
        for _ in range(3):
            self.house.initialize()
        exchange = self.house.call("initialize")
        self.assertEqual(exchange.status, 429)
        self.assertIn(b"retry-after", exchange.response_headers)
        self.assertIn(b"which is the limit", exchange.response_body)
        self.house.initialize(user=b"bob")
        self.house.initialize(path=b"/y/mcp")

    def test_spawn_cap(self):
        """A refusal of the upstream for want of room keeps its status and leaves no session."""
        self.house.upstream.error = TooManyRequests("too many processes")
        exchange = self.house.call("initialize")
        self.assertEqual((exchange.status, len(self.house.table)), (429, 0))

    def test_client_leaves_meanwhile(self):
        """A client that leaves before initialize is answered leaves no session behind."""
        from twisted.internet.defer import Deferred

        self.house.upstream.hold = Deferred()
        exchange = self.house.call("initialize")
        exchange.leave()
        self.assertEqual(len(self.house.table), 0)
        self.assertEqual(self.house.log.failures, [])

    def test_slow_start_becomes_stream(self):
        """An initialize that takes long is kept alive as an event stream with the session header."""
        from twisted.internet.defer import Deferred

        self.house.upstream.hold = Deferred()
        exchange = self.house.call("initialize", 5)
        self.house.clock.advance(15)
        self.house.alive.tick()
        self.assertEqual(exchange.response_headers[b"content-type"], b"text/event-stream")
        self.assertIn(b"mcp-session-id", exchange.response_headers)
        self.house.upstream.hold.callback(None)
        self.assertEqual(events(exchange.streams[0].data)[-1][2]["id"], 5)
        self.assertTrue(exchange.streams[0].finished)


class RequestTests(SessionCase):
    """How calls are answered."""

    def call(self, **rest):
        return self.house.call("tools/call", 3, b'{"name":"echo"}', mcp_session_id=self.session, **rest)

    def test_json(self):
        """An answer that comes first is plain JSON."""
        exchange = self.call()
        self.connection.calls[0].reply(b'{"x":12345678901234567890123}')
        self.assertEqual(exchange.response_headers[b"content-type"], b"application/json")
        self.assertEqual(
            exchange.response_body, b'{"jsonrpc":"2.0","id":3,"result":{"x":12345678901234567890123}}'
        )
        self.assertEqual(self.house.log.lines[-1][1].tool, "echo")

    def test_stream(self):
        """What comes before the answer makes it an event stream with ids, and the answer ends it."""
        exchange = self.call()
        self.connection.calls[0].say(PROGRESS)
        self.connection.calls[0].say(ASK)
        self.connection.calls[0].reply()
        found = events(exchange.streams[0].data)
        self.assertEqual(
            [e[2].get("method") for e in found], ["notifications/progress", "sampling/createMessage", None]
        )
        self.assertEqual(len({e[1] for e in found}), 3)
        self.assertTrue(exchange.streams[0].finished)
        self.assertEqual(exchange.response_headers[b"x-accel-buffering"], b"no")

    def test_priming_event(self):
        """A client of 2025-11-25 gets an event with an id and no data first; older ones do not."""
        self.house.upstream.result = RESULT.replace(b"2025-06-18", b"2025-11-25")
        session = self.house.initialize()
        exchange = self.house.call("tools/list", mcp_session_id=session)
        self.house.upstream.connections[1].calls[0].say(PROGRESS)
        self.assertEqual(events(exchange.streams[0].data)[0], (None, b"1-1", b""))

    def test_json_only_client(self):
        """A client that takes only JSON gets the answer as JSON and the rest on its GET stream."""
        stream = self.house.ask(b"GET", mcp_session_id=self.session)
        exchange = self.call(accept=b"application/json")
        self.connection.calls[0].say(PROGRESS)
        self.connection.calls[0].reply()
        self.assertEqual(exchange.response_headers[b"content-type"], b"application/json")
        self.assertEqual(events(stream.streams[0].data)[0][2]["method"], "notifications/progress")

    def test_stream_first_client(self):
        """A client that names the event stream first gets one, even for an answer that comes first."""
        exchange = self.call(accept=b"text/event-stream, application/json")
        self.connection.calls[0].reply()
        self.assertEqual(events(exchange.streams[0].data)[0][2]["id"], 3)
        self.assertTrue(exchange.streams[0].finished)

    def test_responses_and_notifications(self):
        """A response or notification of the client gets 202 and reaches the server."""
        first = self.house.ask(body=b'{"jsonrpc":"2.0","id":900,"result":{}}', mcp_session_id=self.session)
        second = self.house.ask(
            body=b'{"jsonrpc":"2.0","method":"notifications/initialized"}', mcp_session_id=self.session
        )
        self.assertEqual((first.status, second.status), (202, 202))
        self.assertEqual((len(self.connection.responses), len(self.connection.notes)), (1, 1))

    def test_server_death(self):
        """A call whose server dies is answered with a JSON-RPC error."""
        exchange = self.call()
        self.connection.calls[0].answer.errback(self.connection.gone())
        self.assertEqual(msgspec.json.decode(exchange.response_body)["error"]["code"], -32000)

    def test_disconnect_is_no_cancel(self):
        """A client with a session that disconnects does not cancel its call."""
        exchange = self.call()
        exchange.leave()
        self.connection.calls[0].reply()
        self.assertEqual(self.house.log.failures, [])

    def test_bad_bodies(self):
        """Every malformed body gets 400 and a JSON-RPC error."""
        bodies = {
            b"{": -32700, b"": -32700, b"[]": -32600, b"1": -32600, b"\xff\xfe": -32700, b"{}": -32600,
            b'{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}': -32600,
            b'{"jsonrpc":"2.0","id":null,"method":"ping"}': -32600,
            b'{"jsonrpc":"2.0","id":1,"method":"x","params":' + b"[" * 50_000 + b"}": -32700,
        }  # fmt: skip
        for body, code in bodies.items():
            exchange = self.house.ask(body=body, mcp_session_id=self.session)
            self.assertEqual(exchange.status, 400, body[:40])
            self.assertEqual(msgspec.json.decode(exchange.response_body)["error"]["code"], code, body[:40])

    def test_headers(self):
        """Wrong media types and versions get their own status."""
        self.assertEqual(self.call(content_type=b"text/plain").status, 415)
        self.assertEqual(self.call(accept=b"text/html").status, 406)
        wrong = self.call(mcp_protocol_version=b"2026-07-28")
        error = msgspec.json.decode(wrong.response_body)
        self.assertEqual((wrong.status, error["id"], error["error"]["code"]), (400, 3, -32022))
        self.assertIn("2025-11-25", error["error"]["data"]["supported"])
        self.assertEqual(self.house.ask(b"PUT").response_headers[b"allow"], b"GET, POST, DELETE, OPTIONS")

    def test_delete(self):
        """DELETE ends the session, its calls and its connection; the id is then unknown."""
        call = self.call()
        self.assertEqual(self.house.ask(b"DELETE", mcp_session_id=self.session).status, 204)
        self.assertTrue(self.connection.closed)
        self.assertIn(b"error", call.response_body)
        self.assertEqual(self.call().status, 404)

    def test_duplicate_tool_name(self):
        """A call that names its tool twice never reaches the server."""
        exchange = self.house.call("tools/call", 1, b'{"name":"a","name":"b"}', mcp_session_id=self.session)
        self.assertIn(b"twice", exchange.response_body)
        self.assertEqual(self.connection.calls, [])


class IsolationTests(SynchronousTestCase):
    """What one caller sees of another."""

    def test_foreign_session(self):
        """Another user's session, or one of another server, looks like none at all."""
        house = House()
        session = house.initialize()
        for rest in ({"user": b"bob"}, {"path": b"/y/mcp"}, {"user": b"nobody"}):
            for method in (b"GET", b"DELETE"):
                self.assertEqual(house.ask(method, mcp_session_id=session, **rest).status, 404)
            self.assertEqual(house.call("ping", mcp_session_id=session, **rest).status, 404)
        self.assertEqual(house.upstream.connections[0].calls, [])

    def test_unauthenticated(self):
        """Nobody gets past the door without a credential, whatever the method."""
        house = House()
        for method in (b"GET", b"POST", b"DELETE"):
            exchange = house.ask(method, user=None)
            self.assertEqual(exchange.status, 401)
            self.assertIn(b"www-authenticate", exchange.response_headers)

    def test_implicit_session(self):
        """A client that never sends its session id goes on in the session it opened."""
        house = House()
        house.initialize()
        first = house.call("tools/list", 1)
        house.upstream.connections[0].calls[0].reply()
        self.assertEqual(first.status, 200)
        house.call("tools/list", 2, user=b"bob")
        self.assertEqual(len(house.upstream.connections), 2)
        self.assertIn(b'"capabilities":{}', house.upstream.params[1])

    def test_anonymous_share_nothing(self):
        """Two anonymous callers without session ids get a process each, and it ends with the answer."""
        house = House()
        house.call("tools/list", 1, user=b"nobody")
        house.call("tools/list", 1, user=b"nobody")
        first, second = house.upstream.connections
        first.calls[0].reply()
        self.assertTrue(first.closed)
        self.assertFalse(second.closed)

    def test_implicit_call_cancelled(self):
        """A caller without a session id who disconnects cancels the call: it could never fetch the answer."""
        house = House()
        exchange = house.call("tools/list", 1)
        call = house.upstream.connections[0].calls[0]
        exchange.leave()
        self.assertTrue(call.answer.called)
        call.answer.addErrback(lambda _: None)


class StreamTests(SessionCase):
    """The GET stream, resuming, and slow clients."""

    def test_held_messages(self):
        """What the server says before anybody listens waits for the stream."""
        self.connection.say(LOG)
        exchange = self.get()
        self.assertEqual(events(exchange.streams[0].data)[0][2]["method"], "notifications/message")

    def test_held_messages_are_bounded(self):
        """What nobody listens for is held within a bound; a request beyond it is answered by an error."""
        for _ in range(30):
            self.connection.say(ASK)
        self.assertIn(b"no stream", self.connection.responses[0].raw)
        held = len(events(self.get().streams[0].data))
        self.assertEqual(held + len(self.connection.responses), 30)

    def test_two_slow_readers(self):
        """The server is read again only when the last slow stream has caught up."""
        first, second = self.get().streams[0], self.get().streams[0]
        call = self.house.call("tools/list", 9, mcp_session_id=self.session)
        self.connection.calls[0].say(PROGRESS)
        third = call.streams[0]
        for stream in (first, second, third):
            stream.pause()
        for _ in range(20):
            self.connection.say(LOG)
            self.connection.calls[0].say(PROGRESS)
        second.resume()
        self.assertTrue(self.connection.paused)
        third.resume()
        self.assertFalse(self.connection.paused)

    def test_one_stream(self):
        """Each message goes to exactly one stream, the newest."""
        old, new = self.get(), self.get()
        self.connection.say(LOG)
        self.assertEqual((len(events(old.streams[0].data)), len(events(new.streams[0].data))), (0, 1))

    def test_resume(self):
        """A client that comes back gets what it missed, of its stream only, and then what is new."""
        first = self.get()
        self.connection.say(LOG)
        event_id = events(first.streams[0].data)[0][1]
        self.connection.say(PROGRESS)
        call = self.house.call("tools/list", 9, mcp_session_id=self.session)
        self.connection.calls[0].say(ASK)
        first.leave()
        again = self.get(last_event_id=event_id)
        self.connection.say(LOG)
        methods = [e[2]["method"] for e in events(again.streams[0].data)]
        self.assertEqual(methods, ["notifications/progress", "notifications/message"])
        self.assertEqual(len(call.streams), 1)

    def test_resume_call(self):
        """A call's stream that broke is resumed by GET, answer included, and ends."""
        call = self.house.call("tools/list", 9, mcp_session_id=self.session)
        self.connection.calls[0].say(PROGRESS)
        event_id = events(call.streams[0].data)[0][1]
        call.leave()
        self.connection.calls[0].reply()
        again = self.get(last_event_id=event_id)
        self.assertEqual(events(again.streams[0].data)[0][2]["id"], 9)
        self.assertTrue(again.streams[0].finished)

    def test_bad_event_id(self):
        """An event id of somebody else's making is refused."""
        for value in (b"x", b"1-", b"9" * 50, b"-1-1"):
            self.assertEqual(self.get(last_event_id=value).status, 400)
        self.assertEqual(self.get(last_event_id=b"77-1").status, 404)

    def test_slow_reader(self):
        """A client that does not read stops its server's output, and gets everything once it reads."""
        exchange = self.get()
        stream = exchange.streams[0]
        stream.pause()
        before = stream.data
        for _ in range(20):
            self.connection.say(LOG)
        self.assertEqual(stream.data, before)
        self.assertTrue(self.connection.paused)
        stream.resume()
        self.assertFalse(self.connection.paused)
        self.assertEqual(len(events(stream.data)), 20)

    def test_stalled_reader(self):
        """A client that reads nothing for a minute is cut off."""
        stream = self.get().streams[0]
        stream.pause()
        self.house.clock.advance(61)
        self.house.alive.tick()
        self.assertTrue(stream.aborted)
        self.assertEqual(len(self.house.alive), 0)

    def test_slow_reader_of_shared_server(self):
        """A slow client of a shared server is cut off, so that it slows nobody else."""
        self.house.upstream.shared = True
        session = self.house.initialize()
        stream = self.house.ask(b"GET", mcp_session_id=session).streams[0]
        stream.pause()
        for _ in range(20):
            self.house.upstream.connections[1].say(LOG)
        self.assertTrue(stream.aborted)

    def test_keep_alive(self):
        """An open stream gets a comment at every tick."""
        stream = self.get().streams[0]
        before = len(stream.data)
        self.house.alive.tick()
        self.assertEqual(stream.data[before:], b": keepalive\n\n")

    def test_needs_stream(self):
        """GET without an event stream in Accept is 406, without a session 400."""
        self.assertEqual(self.get(accept=b"application/json").status, 406)
        self.assertEqual(self.house.ask(b"GET").status, 400)

    def test_replay_is_bounded(self):
        """A session keeps no more events than its bound."""
        exchange = self.get()
        for _ in range(200):
            self.connection.say(LOG)
        first = events(exchange.streams[0].data)[0][1]
        exchange.leave()
        again = self.get(last_event_id=first)
        self.assertEqual(len(events(again.streams[0].data)), 50)


class BatchTests(SynchronousTestCase):
    """Batches of 2025-03-26."""

    def setUp(self):
        self.house = House()
        self.house.upstream.result = RESULT.replace(b"2025-06-18", b"2025-03-26")
        self.session = self.house.initialize()
        self.connection = self.house.upstream.connections[0]

    def post(self, body, **rest):
        return self.house.ask(body=body, mcp_session_id=self.session, **rest)

    def test_answers(self):
        """The responses of a batch come together, a bad member's error among them."""
        exchange = self.post(
            b'[{"jsonrpc":"2.0","id":1,"method":"a"},{"jsonrpc":"2.0","method":"notifications/b"},'
            b'{"jsonrpc":"2.0","id":2,"method":"c"},{"id":3}]'
        )
        self.connection.calls[1].reply()
        self.connection.calls[0].reply()
        ids = sorted(str(r.get("id")) for r in msgspec.json.decode(exchange.response_body))
        self.assertEqual(ids, ["1", "2", "3"])
        self.assertEqual(len(self.connection.notes), 1)

    def test_one_way(self):
        """A batch without requests gets 202."""
        self.assertEqual(self.post(b'[{"jsonrpc":"2.0","method":"notifications/b"}]').status, 202)

    def test_refused(self):
        """Batches with initialize, too many members, or of another revision are refused whole."""
        self.assertEqual(self.post(b'[{"jsonrpc":"2.0","id":1,"method":"initialize"}]').status, 400)
        self.assertEqual(self.post(b"[" + b",".join([b"{}"] * 101) + b"]").status, 400)
        self.house.upstream.result = RESULT
        self.session = self.house.initialize()
        self.assertEqual(self.post(b'[{"jsonrpc":"2.0","id":1,"method":"a"}]').status, 400)


class FilterTests(SynchronousTestCase):
    """The tool filter."""

    def test_list_and_call_agree(self):
        """A blocked tool is neither listed nor called, and looks like one that does not exist."""
        house = House(tool_filter=ToolFilter(mode="block", list=["rm"]))
        session = house.initialize()
        listing = house.call("tools/list", 1, mcp_session_id=session)
        house.upstream.connections[0].calls[0].reply(
            b'{"tools":[{"name":"rm"},{"name":"ls","z":1e999}],"nextCursor":"n"}'
        )
        self.assertIn(b'{"tools":[{"name":"ls","z":1e999}],"nextCursor":"n"}', listing.response_body)
        call = house.call("tools/call", 2, b'{"name":"rm"}', mcp_session_id=session)
        self.assertEqual(msgspec.json.decode(call.response_body)["error"]["code"], -32602)
        self.assertEqual(len(house.upstream.connections[0].calls), 1)

    def test_escaped_name(self):
        """Writing the blocked name with escapes does not help."""
        house = House(tool_filter=ToolFilter(mode="block", list=["rm"]))
        session = house.initialize()
        house.call("tools/call", 2, b'{"n\\u0061me":"r\\u006d"}', mcp_session_id=session)
        self.assertEqual(house.upstream.connections[0].calls, [])


class ExpiryTests(SynchronousTestCase):
    """When sessions end by themselves."""

    def test_idle(self):
        """An unused session ends after its time; a call or a stream keeps it."""
        house = House(Bounds(max_per_user=10))
        idle, calling, streaming = (house.initialize() for _ in range(3))
        house.call("ping", mcp_session_id=idle)
        house.upstream.connections[0].calls[0].reply()
        house.call("ping", mcp_session_id=calling)
        house.ask(b"GET", mcp_session_id=streaming)
        house.clock.advance(301)
        house.table.sweep()
        self.assertEqual([c.closed for c in house.upstream.connections], [True, False, False])

    def test_unclaimed(self):
        """A session whose id never came back ends after a minute."""
        house = House()
        house.initialize()
        house.clock.advance(61)
        house.table.sweep()
        self.assertEqual(len(house.table), 0)

    def test_close_all(self):
        """Closing the table ends every stream with a comment and every connection."""
        house = House()
        session = house.initialize()
        stream = house.ask(b"GET", mcp_session_id=session).streams[0]
        from twisted.internet.defer import Deferred

        self.successResultOf(Deferred.fromCoroutine(house.table.close()))
        self.assertTrue(stream.finished)
        self.assertIn(b": the gateway is shutting down", stream.data)
        self.assertEqual(house.call("initialize").status, 503)
