"""Processes that serve several sessions: of one user, or of everybody."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from mcpfront.errors import InvalidMessage, ServerExited, Unavailable
from mcpfront.protocol.jsonrpc import Message, parse
from mcpfront.upstream.connection import StdioConnection
from mcpfront.upstream.hubs import IDLE
from tests.upstream.fakes import ADA, BEN, NOBODY, UpstreamCase, notification, request, silent
from tests.upstream.settings import PARAMS

CAPABLE = b'{"protocolVersion":"2025-11-25","capabilities":{"sampling":{},"roots":{}},"clientInfo":{}}'
OLD = b'{"protocolVersion":"2025-03-26","capabilities":{},"clientInfo":{}}'


class SeveralCase(UpstreamCase):
    """Two connections to one process."""

    isolation = "user"

    def setUp(self) -> None:
        """Open two conversations."""
        super().setUp()
        self.up = self.upstream(isolation=self.isolation)
        self.one = self.open(self.up, ADA, CAPABLE)
        self.two = self.open(self.up, ADA if self.isolation == "user" else BEN, PARAMS)
        self.to_one: list[Message] = []
        self.to_two: list[Message] = []
        self.one.listen(self.to_one.append)
        self.two.listen(self.to_two.append)

    def sent(self) -> dict[str, object]:
        """Return what the process was sent last."""
        return dict(self.last.messages[-1])

    def subscribe(self, connection: StdioConnection, method: str, uri: str) -> None:
        """Subscribe or unsubscribe; the server agrees if it is asked."""
        count = len(self.last.lines)
        calling = self.call(connection, request(f"resources/{method}", uri=uri))
        if len(self.last.lines) > count:
            self.last.say(id=self.sent()["id"], result={})
        self.assertIn("result", json.loads(self.successResultOf(calling)))

    def heard(self) -> tuple[list[str], list[str]]:
        """Return the methods that each connection heard."""
        return [m.method for m in self.to_one], [m.method for m in self.to_two]


class UserTests(SeveralCase):
    """One user's sessions share a process."""

    def test_one_process(self) -> None:
        """The second session gets the stored result and no process of its own."""
        self.assertEqual(len(self.reactor.processes), 1)
        self.assertEqual(self.one.result, self.two.result)
        self.assertTrue(self.one.shared)
        self.assertEqual(self.last.methods, ["initialize", "notifications/initialized"])

    def test_users_apart(self) -> None:
        """Another user gets another process, and so does each session of somebody unknown."""
        self.open(self.up, BEN)
        self.open(self.up, NOBODY)
        self.open(self.up, NOBODY)
        self.assertEqual(len(self.reactor.processes), 4)

    def test_concurrent_opens(self) -> None:
        """Sessions that open at the same time share one handshake."""
        self.reactor.prepare = silent
        opening = [self.opening(self.up, BEN) for _ in range(3)]
        self.assertEqual(len(self.reactor.processes), 2)
        self.last.say(id=1, result={"protocolVersion": "2025-11-25"})
        for one in opening:
            self.successResultOf(one)

    def test_one_opener_leaves(self) -> None:
        """A client that leaves during the handshake does not end it for the others."""
        self.reactor.prepare = silent
        leaving, staying = self.opening(self.up, BEN), self.opening(self.up, BEN)
        leaving.cancel()
        self.reactor.advance(1)
        self.last.say(id=1, result={})
        self.successResultOf(staying)

    def test_older_client(self) -> None:
        """A client of an older revision is told its own."""
        self.assertIn(b'"protocolVersion": "2025-11-25"', self.one.result)
        self.assertIn(b'"2025-03-26"', self.open(self.up, ADA, OLD).result)

    def test_equal_ids(self) -> None:
        """Two sessions may choose the same id and the same token; each gets its own answer and progress."""
        heard_one: list[Message] = []
        heard_two: list[Message] = []
        one = self.call(self.one, request(id=1, _meta={"progressToken": "t"}), heard_one)
        first = self.sent()
        two = self.call(self.two, request(id=1, _meta={"progressToken": "t"}), heard_two)
        second = self.sent()
        token = second["params"]["_meta"]["progressToken"]  # type: ignore[index]
        self.assertNotEqual(token, first["params"]["_meta"]["progressToken"])  # type: ignore[index]
        self.last.say(method="notifications/progress", params={"progressToken": token, "progress": 1})
        self.last.say(id=second["id"], result={"to": "two"})
        self.last.say(id=first["id"], result={"to": "one"})
        self.assertEqual((len(heard_one), json.loads(heard_two[0].raw)["params"]["progressToken"]), (0, "t"))
        self.assertEqual(
            json.loads(self.successResultOf(one)), {"jsonrpc": "2.0", "id": 1, "result": {"to": "one"}}
        )
        self.assertEqual(json.loads(self.successResultOf(two))["result"], {"to": "two"})

    def test_cannot_cancel_others(self) -> None:
        """A session's cancellation reaches its own call only, also when both chose the same id."""
        self.call(self.one, request(id=5))
        first = self.sent()["id"]
        self.two.notify(notification("notifications/cancelled", requestId=5))
        self.two.notify(notification("notifications/cancelled", requestId=first))
        self.assertEqual(self.last.methods.count("notifications/cancelled"), 0)
        self.one.notify(notification("notifications/cancelled", requestId=5))
        self.assertEqual(self.sent()["params"]["requestId"], first)  # type: ignore[index]

    def test_cannot_answer_others(self) -> None:
        """A session cannot answer what the server asked another one."""
        self.call(self.one, request())
        self.call(self.one, request())
        self.last.say(id="q", method="sampling/createMessage")
        answer = parse(b'{"jsonrpc":"2.0","id":%s,"result":{}}' % (self.to_one[0].id or b""))
        self.two.respond(answer)
        self.assertNotIn("", self.last.methods)
        self.one.respond(answer)
        self.assertEqual(self.sent(), {"jsonrpc": "2.0", "id": "q", "result": {}})

    def test_asks_whoever_works(self) -> None:
        """A request of the server goes to the session of the latest call in flight."""
        self.call(self.two, request())
        self.call(self.one, request(), heard := [])
        self.last.say(id=1, method="roots/list")
        self.assertEqual([m.method for m in heard], ["roots/list"])

    def test_incapable_client(self) -> None:
        """What a client has not declared is answered for it: the method is not found."""
        self.call(self.two, request())
        self.last.say(id=1, method="sampling/createMessage")
        self.assertEqual(self.sent()["error"]["code"], -32601)  # type: ignore[index]
        self.assertEqual(self.to_two, [])

    def test_ping(self) -> None:
        """The gateway answers the server's ping."""
        self.last.say(id="p", method="ping")
        self.assertEqual(self.sent(), {"jsonrpc": "2.0", "id": "p", "result": {}})

    def test_log_messages(self) -> None:
        """A log message goes to the session that works, or to all of the user's."""
        self.last.say(method="notifications/message", params={})
        self.assertEqual(self.heard(), (["notifications/message"], ["notifications/message"]))
        self.call(self.two, request(), heard := [])
        self.last.say(method="notifications/message", params={})
        self.assertEqual((len(heard), len(self.to_one)), (1, 1))

    def test_leaver_answers(self) -> None:
        """When a session ends, what the server still asks of it is answered with an error."""
        self.call(self.one, request())
        self.last.say(id="q", method="roots/list")
        closing = Deferred.fromCoroutine(self.one.close())
        self.successResultOf(closing)
        self.assertEqual((self.sent()["id"], "error" in self.sent()), ("q", True))

    def test_leaver_calls(self) -> None:
        """When a session ends, its calls fail and are cancelled; those of others go on."""
        calling, other = self.call(self.one, request()), self.call(self.two, request())
        Deferred.fromCoroutine(self.one.close())
        self.failureResultOf(calling, Unavailable)
        self.assertIn("notifications/cancelled", self.last.methods)
        self.last.say(id=3, result={})
        self.successResultOf(other)

    def test_idle(self) -> None:
        """The process outlives the last session by a minute, unless somebody comes back."""
        Deferred.fromCoroutine(self.one.close())
        Deferred.fromCoroutine(self.two.close())
        self.reactor.advance(IDLE - 1)
        again = self.open(self.up, ADA)
        self.reactor.advance(IDLE)
        self.assertTrue(self.last.alive)
        Deferred.fromCoroutine(again.close())
        self.reactor.advance(IDLE)
        self.reactor.pump([0, 0])
        self.assertFalse(self.last.alive)
        self.assertEqual(dict(self.up._seats._taken), {})

    def test_death(self) -> None:
        """When the process dies the calls of all sessions fail, and the next request starts another one."""
        one, two = self.call(self.one, request()), self.call(self.two, request())
        self.last.exit(1)
        self.failureResultOf(one, ServerExited)
        self.failureResultOf(two, ServerExited)
        self.call(self.two, request())
        self.assertEqual(len(self.reactor.processes), 2)

    def test_no_back_pressure(self) -> None:
        """One slow session does not stop the others."""
        self.one.pause()
        self.assertTrue(self.last.pipes[1].reading)


class SubscriptionTests(SeveralCase):
    """Resources that several sessions subscribe to."""

    isolation = "shared"

    def test_counted(self) -> None:
        """Updates reach the subscribers only, and the last one to go unsubscribes at the server."""
        self.subscribe(self.one, "subscribe", "a:1")
        self.subscribe(self.two, "subscribe", "a:1")
        self.subscribe(self.two, "subscribe", "a:2")
        self.last.say(method="notifications/resources/updated", params={"uri": "a:1"})
        self.last.say(method="notifications/resources/updated", params={"uri": "a:2/part"})
        self.assertEqual((len(self.to_one), len(self.to_two)), (1, 2))
        self.subscribe(self.one, "unsubscribe", "a:1")
        self.assertNotIn("resources/unsubscribe", self.last.methods)
        self.subscribe(self.two, "unsubscribe", "a:1")
        self.assertIn("resources/unsubscribe", self.last.methods)

    def test_leaver(self) -> None:
        """A session that ends is unsubscribed."""
        self.subscribe(self.one, "subscribe", "a:1")
        Deferred.fromCoroutine(self.one.close())
        self.assertEqual(self.sent()["method"], "resources/unsubscribe")
        self.last.say(id=self.sent()["id"], result={})


class SharedTests(SeveralCase):
    """Everybody shares one process."""

    isolation = "shared"

    def test_own_handshake(self) -> None:
        """The gateway initializes the process as itself and without capabilities."""
        self.assertEqual(len(self.reactor.processes), 1)
        params = self.last.messages[0]["params"]
        self.assertEqual((params["capabilities"], params["clientInfo"]["name"]), ({}, "mcpfront"))

    def test_nobody_is_asked(self) -> None:
        """Requests of the server reach nobody."""
        self.call(self.one, request(), heard := [])
        self.last.say(id=1, method="sampling/createMessage")
        self.assertEqual(self.sent()["error"]["code"], -32601)  # type: ignore[index]
        self.assertEqual((heard, self.heard()), ([], ([], [])))

    def test_what_reaches_all(self) -> None:
        """List changes reach everybody; log messages and what is unknown reach nobody."""
        for method in ("message", "tools/list_changed", "progress", "x/secret"):
            self.last.say(method=f"notifications/{method}", params={"progressToken": 9})
        self.assertEqual(self.heard(), (["notifications/tools/list_changed"],) * 2)

    def test_log_level(self) -> None:
        """One session's log level does not change the process."""
        calling = self.call(self.one, request("logging/setLevel", id="l", level="debug"))
        self.assertEqual(self.successResultOf(calling), b'{"jsonrpc":"2.0","id":"l","result":{}}')
        self.assertNotIn("logging/setLevel", self.last.methods)

    def test_notifications_stop_here(self) -> None:
        """Notifications of one session do not reach the process of all."""
        self.one.notify(notification("notifications/roots/list_changed"))
        self.one.notify(notification("notifications/initialized"))
        self.assertEqual(self.last.methods, ["initialize", "notifications/initialized"])

    def test_hidden_token(self) -> None:
        """A progress token is rewritten however its key is spelled, and refused when readers may differ."""
        spelled = b'{"jsonrpc":"2.0","id":1,"method":"x","params":{"_meta":{"progress\\u0054oken":1}}}'
        self.call(self.one, parse(spelled))
        self.assertNotEqual(self.sent()["params"]["_meta"]["progressToken"], 1)  # type: ignore[index]
        twice = b'{"jsonrpc":"2.0","id":1,"method":"x","params":{"_meta":{},"_meta":{"progressToken":1}}}'
        self.failureResultOf(self.call(self.one, parse(twice)), InvalidMessage)

    def test_stays(self) -> None:
        """The process stays when nobody uses it, and starts anew for the next one when it died."""
        Deferred.fromCoroutine(self.one.close())
        Deferred.fromCoroutine(self.two.close())
        self.reactor.advance(10 * IDLE)
        self.assertTrue(self.last.alive)
        self.last.exit(1)
        self.call(self.open(self.up), request())
        self.assertEqual(self.last.methods[-1], "tools/call")

    @given(st.data())
    def test_never_mixed(self, data: st.DataObject) -> None:
        """Whatever ids and tokens sessions choose and in whatever order answers come, each gets its own."""
        chosen = st.one_of(st.integers(0, 3), st.sampled_from(["a", "b"]))
        calls = []
        for number in range(data.draw(st.integers(1, 6))):
            who = data.draw(st.sampled_from([self.one, self.two]))
            id, token = data.draw(chosen), data.draw(chosen)  # noqa: A001
            heard: list[Message] = []
            message = request(id=id, number=number, _meta={"progressToken": token})
            calls.append((number, id, token, heard, self.call(who, message, heard)))
        sent = {m["params"]["number"]: m for m in self.last.messages if m.get("method") == "tools/call"}
        for number, id, token, heard, calling in data.draw(st.permutations(calls)):  # noqa: A001
            rewritten = sent[number]["params"]["_meta"]["progressToken"]
            self.last.say(method="notifications/progress", params={"progressToken": rewritten, "n": number})
            self.last.say(id=sent[number]["id"], result=number)
            answer = {"jsonrpc": "2.0", "id": id, "result": number}
            self.assertEqual(json.loads(self.successResultOf(calling)), answer)
            self.assertEqual(
                [json.loads(m.raw)["params"] for m in heard], [{"progressToken": token, "n": number}]
            )
        self.last.lines.clear()
