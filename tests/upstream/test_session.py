"""A process per session: what passes, what is answered, what is told."""

from __future__ import annotations

import json
import signal

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from mcpfront.errors import (
    CallTimeout,
    HandshakeFailed,
    HandshakeRefused,
    MessageTooLarge,
    ServerExited,
    TooManyRequests,
    Unavailable,
    UpstreamError,
)
from mcpfront.protocol.jsonrpc import Message, parse
from mcpfront.upstream.budget import SpawnBudget
from mcpfront.upstream.peer import MAX_IN_FLIGHT
from mcpfront.upstream.subscriptions import MAX_SUBSCRIPTIONS
from tests.upstream.fakes import ADA, BEN, NOBODY, UpstreamCase, notification, request, silent
from tests.upstream.settings import PARAMS


class HandshakeTests(UpstreamCase):
    """``initialize`` and what can go wrong with it."""

    def test_params_untouched(self) -> None:
        """The client's params reach the server byte for byte."""
        params = b'{ "protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{},"x":1.50 }'
        self.open(self.upstream(), params=params)
        self.assertEqual(
            self.last.lines, [b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":' + params + b"}"]
        )

    def test_result_untouched(self) -> None:
        """The server's result is handed on as it was written."""
        self.reactor.prepare = silent
        opening = self.opening(self.upstream())
        self.last.say_raw(b'{"jsonrpc":"2.0","id":1,"result":{"protocolVersion": "2025-11-25", "n":1e400}}')
        self.assertEqual(
            self.successResultOf(opening).result, b'{"protocolVersion": "2025-11-25", "n":1e400}'
        )

    def test_initialized_relayed(self) -> None:
        """The client's own ``notifications/initialized`` goes through untouched, and once."""
        connection = self.open(self.upstream())
        own = parse(b'{"method":"notifications/initialized","jsonrpc":"2.0","params":{"_meta":{"a":1}}}')
        connection.notify(own)
        connection.notify(own)
        self.call(connection, request())
        self.assertEqual(self.last.lines[1], own.raw)
        self.assertEqual(self.last.methods, ["initialize", "notifications/initialized", "tools/call"])

    def test_initialized_supplied(self) -> None:
        """A client that forgets ``notifications/initialized`` has it sent before its first request."""
        connection = self.open(self.upstream())
        self.call(connection, request("tools/list"))
        self.assertEqual(self.last.methods, ["initialize", "notifications/initialized", "tools/list"])

    def test_refused(self) -> None:
        """The server's own error is kept, and its process is ended."""
        self.reactor.prepare = silent
        opening = self.opening(self.upstream())
        self.last.say_raw(b'{"jsonrpc":"2.0","id":1,"error":{"code":-7, "message":"no"}}')
        error = self.failureResultOf(opening, HandshakeRefused).value
        self.assertEqual(error.error, b'{"code":-7, "message":"no"}')
        self.reactor.pump([0, 0])
        self.assertFalse(self.last.alive)

    def test_silence(self) -> None:
        """A server that says nothing fails the handshake at the deadline."""
        self.reactor.prepare = silent
        opening = self.opening(self.upstream(handshake_timeout=5.0))
        self.reactor.advance(4.9)
        self.assertNoResult(opening)
        self.reactor.advance(0.2)
        self.assertIn("within 5 seconds", self.failure(opening, HandshakeFailed))

    def test_death(self) -> None:
        """A server that ends during the handshake fails it with its exit code."""
        self.reactor.prepare = silent
        opening = self.opening(self.upstream())
        self.last.exit(9)
        self.assertIn("exit code 9", self.failure(opening, HandshakeFailed))

    def test_cancelled(self) -> None:
        """A client that leaves during the handshake has its process ended and its place given back."""
        self.reactor.prepare = silent
        up = self.upstream(max_per_user=1)
        opening = self.opening(up)
        opening.cancel()
        self.failureResultOf(opening)
        self.reactor.pump([0, 0, 0])
        self.assertFalse(self.last.alive)
        self.assertNoResult(self.opening(up))

    def test_closed_upstream(self) -> None:
        """A server that is being shut down takes nobody in."""
        up = self.upstream()
        self.open(up)
        up._closed = True
        self.failureResultOf(self.opening(up), Unavailable)


class CallTests(UpstreamCase):
    """Requests and their responses."""

    def setUp(self) -> None:
        """Open a conversation."""
        super().setUp()
        self.connection = self.open(self.upstream(timeout=10.0))
        self.heard: list[Message] = []
        self.connection.listen(self.heard.append)

    def test_ids(self) -> None:
        """Each response goes to its own call, with the client's id and every other byte as written."""
        one = self.call(self.connection, request(id="a"))
        two = self.call(self.connection, request(id=7))
        self.last.say_raw(b'{"id": 3, "jsonrpc":"2.0","result":{"big":123456789012345678901}}')
        self.last.say_raw(b'{"jsonrpc":"2.0","id":2,"error":{"code":-1,"message":"x","data":[1.0]}}')
        self.assertEqual(
            self.successResultOf(one),
            b'{"jsonrpc":"2.0","id":"a","error":{"code":-1,"message":"x","data":[1.0]}}',
        )
        self.assertEqual(json.loads(self.successResultOf(two))["id"], 7)

    def test_line_breaks(self) -> None:
        """A message over several lines reaches the server as one."""
        self.call(self.connection, parse(b'{"jsonrpc":"2.0",\n"id":1,\r\n"method":"tools/list"}'))
        self.assertEqual(self.last.methods[-1], "tools/list")

    def test_timeout(self) -> None:
        """A call without an answer fails at its deadline and is cancelled; a late answer is dropped."""
        calling = self.call(self.connection, request())
        self.reactor.advance(10)
        self.assertIn("within 10 seconds", self.failure(calling, CallTimeout))
        self.assertEqual(self.last.messages[-1]["params"]["requestId"], 2)
        self.last.say(id=2, result={})
        self.assertFalse(self.warned("dropped a message of the server"))

    def test_progress_renews(self) -> None:
        """Progress starts the deadline anew, but not beyond an hour in all."""
        calling = self.call(self.connection, request(_meta={"progressToken": "p"}), self.heard)
        for _ in range(400):
            self.reactor.advance(9)
            self.last.say(method="notifications/progress", params={"progressToken": "p", "progress": 1})
        self.failureResultOf(calling, CallTimeout)
        self.assertEqual(len([m for m in self.heard if m.method == "notifications/progress"]), 400)

    def test_progress_untouched(self) -> None:
        """The client's token is the server's, and its progress is the client's, byte for byte."""
        self.call(self.connection, request(_meta={"progressToken": "p"}), heard := [])
        self.assertEqual(self.last.messages[-1]["params"]["_meta"]["progressToken"], "p")
        params = b'{"progressToken":"p" ,"progress":1.0}'
        line = b'{"jsonrpc":"2.0","method":"notifications/progress","params":' + params + b"}"
        self.last.say_raw(line)
        self.assertEqual([message.raw for message in heard], [line])

    def test_equal_ids_and_tokens(self) -> None:
        """Clients that share a session may choose the same id and token; each gets what is its own."""
        one = self.call(self.connection, request(id=1, _meta={"progressToken": 1}), to_one := [])
        two = self.call(self.connection, request(id=1, _meta={"progressToken": 1}), to_two := [])
        tokens = [message["params"]["_meta"]["progressToken"] for message in self.last.messages[2:]]
        self.assertEqual(tokens, [1, 3])
        self.last.say(method="notifications/progress", params={"progressToken": 3})
        self.assertEqual((to_one, json.loads(to_two[0].raw)["params"]["progressToken"]), ([], 1))
        self.last.say(id=3, result="two")
        self.last.say(id=2, result="one")
        self.assertEqual(json.loads(self.successResultOf(one))["result"], "one")
        self.assertEqual(json.loads(self.successResultOf(two))["result"], "two")

    def test_too_many_subscriptions(self) -> None:
        """Subscriptions over what can be kept are refused."""
        for number in range(MAX_SUBSCRIPTIONS):
            self.call(self.connection, request("resources/subscribe", uri=f"a:{number}"))
            self.last.say(id=self.last.messages[-1]["id"], result={})
        over = self.call(self.connection, request("resources/subscribe", uri="b:1"))
        self.failureResultOf(over, TooManyRequests)

    def test_client_gone(self) -> None:
        """Cancelling a call tells the server, under the id that it knows."""
        calling = self.call(self.connection, request(id="mine"))
        calling.cancel()
        self.failureResultOf(calling)
        self.assertEqual(self.last.messages[-1]["method"], "notifications/cancelled")
        self.assertEqual(self.last.messages[-1]["params"]["requestId"], 2)

    def test_client_cancels(self) -> None:
        """The client's ``notifications/cancelled`` reaches the server under its id, byte for byte."""
        calling = self.call(self.connection, request(id="m\u00edne"))
        self.connection.notify(
            parse(
                b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"m\\u00edne","x":1.0}}'
            )
        )
        self.assertEqual(
            self.last.lines[-1],
            b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2,"x":1.0}}',
        )
        self.reactor.advance(2)
        self.assertIn("cancelled", self.failure(calling, CallTimeout))
        self.assertEqual(self.last.methods.count("notifications/cancelled"), 1)

    def test_cancel_nothing(self) -> None:
        """A cancellation of no call of this session is dropped."""
        before = len(self.last.lines)
        self.connection.notify(notification("notifications/cancelled", requestId=1))
        self.assertEqual(len(self.last.lines), before)

    def test_too_many(self) -> None:
        """Calls over the bound are refused at once."""
        calls = [self.call(self.connection, request()) for _ in range(MAX_IN_FLIGHT)]
        self.failureResultOf(self.call(self.connection, request()), TooManyRequests)
        self.last.exit(1)
        for call in calls:
            self.failureResultOf(call, ServerExited)

    def test_malformed_response(self) -> None:
        """A response that is no JSON-RPC response fails its call at once."""
        calling = self.call(self.connection, request())
        self.last.say_raw(b'{"jsonrpc":"2.0","id":2,"result":{},"error":{}}')
        self.assertIn("malformed", self.failure(calling, UpstreamError))

    def test_batch(self) -> None:
        """Responses in a batch are taken one by one."""
        one, two = self.call(self.connection, request(id=1)), self.call(self.connection, request(id=2))
        self.last.say_raw(b'[{"jsonrpc":"2.0","id":3,"result":{}},{"jsonrpc":"2.0","id":2,"result":{}}]')
        self.assertEqual([json.loads(self.successResultOf(call))["id"] for call in (one, two)], [1, 2])

    def test_latin_1(self) -> None:
        """A response with bytes that are no UTF-8 is delivered with replacements."""
        calling = self.call(self.connection, request())
        self.last.say_raw(b'{"jsonrpc":"2.0","id":2,"result":"\xe9"}')
        self.assertEqual(json.loads(self.successResultOf(calling))["result"], "\ufffd")

    def test_faulty_receiver(self) -> None:
        """An error in a receiver is logged and stops neither the call nor the server."""
        self.connection.listen(lambda _: 1 / 0)
        calling = self.call(self.connection, request())
        self.last.say(method="notifications/tools/list_changed")
        self.last.say(id=2, result={})
        self.successResultOf(calling)
        self.assertTrue(self.warned("a message could not be handled"))

    def test_close_fails_calls(self) -> None:
        """Closing a conversation fails its calls and ends its process."""
        calling = self.call(self.connection, request())
        closing = Deferred.fromCoroutine(self.connection.close())
        self.assertIn("closed", self.failure(calling, Unavailable))
        self.reactor.pump([0, 0])
        self.successResultOf(closing)
        self.failureResultOf(self.call(self.connection, request()), Unavailable)

    def test_pause(self) -> None:
        """A slow client stops the reading of its server's output, also of the server that replaces it."""
        self.connection.pause()
        self.assertFalse(self.last.pipes[1].reading)
        self.last.exit(1)
        self.reactor.advance(1)
        self.call(self.connection, request())
        self.assertFalse(self.last.pipes[1].reading)
        self.connection.resume()
        self.assertTrue(self.last.pipes[1].reading)


class ServerTests(UpstreamCase):
    """What the server sends of its own accord."""

    def setUp(self) -> None:
        """Open a conversation."""
        super().setUp()
        self.connection = self.open(self.upstream())
        self.aside: list[Message] = []

    def test_only_call(self) -> None:
        """Requests and log messages go to the only call in flight; list changes go aside."""
        self.connection.listen(self.aside.append)
        self.call(self.connection, request(), heard := [])
        self.last.say(id=0, method="sampling/createMessage")
        self.last.say(method="notifications/message", params={})
        self.last.say(method="notifications/tools/list_changed")
        self.assertEqual([m.method for m in heard], ["sampling/createMessage", "notifications/message"])
        self.assertEqual([m.method for m in self.aside], ["notifications/tools/list_changed"])

    def test_several_calls(self) -> None:
        """With several calls in flight they go aside."""
        self.connection.listen(self.aside.append)
        for _ in range(2):
            self.call(self.connection, request(), heard := [])
        self.last.say(id=0, method="sampling/createMessage")
        self.assertEqual(([m.method for m in heard], len(self.aside)), ([], 1))

    def test_answer(self) -> None:
        """The client's answer reaches the server under the server's own id, once, byte for byte."""
        self.connection.listen(self.aside.append)
        self.last.say(id="s\u00e9", method="roots/list")
        answer = b'{"jsonrpc":"2.0","id":' + (self.aside[0].id or b"") + b',"result":{"x": 1.0}}'
        self.connection.respond(parse(answer))
        self.connection.respond(parse(answer))
        self.assertEqual(self.last.lines[1:], [b'{"jsonrpc":"2.0","id":"s\\u00e9","result":{"x": 1.0}}'])

    def test_server_cancels(self) -> None:
        """The server's cancellation of its own request reaches the client under the client's id."""
        self.call(self.connection, request(), heard := [])
        self.last.say(id=99, method="sampling/createMessage")
        self.last.say(method="notifications/cancelled", params={"requestId": 99})
        self.assertEqual(json.loads(heard[1].raw)["params"]["requestId"], json.loads(heard[0].raw)["id"])

    def test_dead_server_is_not_answered(self) -> None:
        """An answer to a request of a process that has died is dropped."""
        self.connection.listen(self.aside.append)
        self.last.say(id=1, method="roots/list")
        self.last.exit(1)
        self.reactor.advance(1)
        self.call(self.connection, request())
        self.connection.respond(parse(b'{"jsonrpc":"2.0","id":1,"result":{}}'))
        self.assertNotIn("", self.last.methods)

    def test_kept_until_heard(self) -> None:
        """What comes before anybody listens is kept, up to a bound."""
        for number in range(150):
            self.last.say(method="notifications/n", params={"number": number})
        self.connection.listen(self.aside.append)
        self.assertEqual(len(self.aside), 100)
        self.assertEqual(json.loads(self.aside[0].raw)["params"]["number"], 0)
        self.assertTrue(self.warned("dropped a notification that nobody takes"))

    def test_too_many_requests(self) -> None:
        """Requests over what a client may have to answer are refused."""
        for number in range(101):
            self.last.say(id=number, method="roots/list")
        self.assertEqual(self.last.messages[-1]["id"], 100)
        self.assertIn("error", self.last.messages[-1])

    def test_asked_and_cancelled(self) -> None:
        """A server that asks and cancels without end fills no queue."""
        for number in range(1000):
            self.last.say(id=number, method="roots/list")
            self.last.say(method="notifications/cancelled", params={"requestId": number})
        self.connection.listen(self.aside.append)
        self.assertEqual(len(self.aside), 100)

    def test_garbage_is_not_told(self) -> None:
        """Garbage is dropped with a few warnings that never say what it was."""
        for _ in range(100):
            self.last.say_raw(b"secret banner")
        warnings = [e for e in self.capture.entries if e["event"] == "dropped a message of the server"]
        self.assertEqual(len(warnings), 5)
        self.assertNotIn("secret", str(self.capture.entries))
        self.reactor.advance(1)
        self.assertTrue(self.warned("more messages that make no sense were dropped"))


class RestartTests(UpstreamCase):
    """A process that dies, and the next one."""

    def setUp(self) -> None:
        """Open a conversation."""
        super().setUp()
        self.up = self.upstream(handshake_timeout=3.0)
        self.connection = self.open(self.up)

    def die(self, code: int = 1) -> None:
        """Let the process die."""
        self.last.exit(code)

    def test_replay(self) -> None:
        """The next request starts another process, which is told what the first one knew."""
        for method, params in (
            ("logging/setLevel", {"level": "debug"}),
            ("resources/subscribe", {"uri": "a:1"}),
            ("resources/subscribe", {"uri": "a:2"}),
            ("resources/unsubscribe", {"uri": "a:1"}),
        ):
            self.call(self.connection, request(method, **params))
            self.last.say(id=self.last.messages[-1]["id"], result={})
        self.die()
        self.reactor.advance(10)
        self.call(self.connection, request("tools/list"))
        self.assertEqual(
            [(message["method"], message.get("params")) for message in self.last.messages],
            [
                ("initialize", json.loads(PARAMS)),
                ("notifications/initialized", None),
                ("logging/setLevel", {"level": "debug"}),
                ("resources/subscribe", {"uri": "a:2"}),
                ("tools/list", {}),
            ],
        )

    def test_calls_fail_at_once(self) -> None:
        """Calls in flight fail with the name of the server and its exit code."""
        calling = self.call(self.connection, request())
        self.die(3)
        text = self.failure(calling, ServerExited)
        self.assertIn("files", text)
        self.assertIn("exit code 3", text)

    def test_one_restart(self) -> None:
        """Concurrent requests share one restart."""
        self.die()
        self.call(self.connection, request("a"))
        self.call(self.connection, request("b"))
        self.assertEqual(len(self.reactor.processes), 2)
        self.assertEqual(self.last.methods[-2:], ["a", "b"])

    def test_back_off(self) -> None:
        """Restarts come later and later; a request waits for one, within the time of a handshake."""
        waits = []
        for _ in range(4):
            self.die()
            started, count = self.reactor.seconds(), len(self.reactor.processes)
            calling = self.call(self.connection, request())
            while len(self.reactor.processes) == count:
                self.reactor.advance(0.05)
            waits.append(self.reactor.seconds() - started)
            self.assertNoResult(calling)
            calling.addErrback(lambda _: None)
        for wait, expected in zip(waits, (0, 0.5, 1.0, 2.0), strict=True):
            self.assertTrue(expected * 0.79 <= wait <= expected * 1.21 + 0.06, waits)
        self.die()
        self.assertIn(
            "started again in", self.failure(self.call(self.connection, request()), HandshakeFailed)
        )

    def test_stable_again(self) -> None:
        """After a minute of life earlier failures are forgotten."""
        for _ in range(3):
            self.die()
            self.call(self.connection, request()).addErrback(lambda _: None)
            self.reactor.advance(1.3)
        self.reactor.advance(61)
        self.die()
        count = len(self.reactor.processes)
        self.call(self.connection, request())
        self.assertEqual(len(self.reactor.processes), count + 1)

    def test_output_with_the_exit(self) -> None:
        """An answer that comes between the exit and the end of the output is delivered."""
        calling = self.call(self.connection, request())
        self.last.exit(0, holds=(1,))
        self.assertNoResult(calling)
        self.last.say(id=2, result={})
        self.successResultOf(calling)
        self.reactor.advance(0.2)

    def test_pipe_held(self) -> None:
        """Calls do not wait for somebody else who holds the output."""
        calling = self.call(self.connection, request())
        self.last.exit(0, holds=(0, 1, 2))
        self.reactor.advance(0.2)
        self.failureResultOf(calling, ServerExited)
        self.assertEqual(self.last.pipes, {})

    def test_stubborn(self) -> None:
        """A server that ignores the end of its input gets TERM, then KILL, on its group."""
        self.last.obeys = False
        closing = Deferred.fromCoroutine(self.connection.close())
        self.reactor.pump([0.1] * 45)
        self.successResultOf(closing)
        self.assertEqual(self.last.signals, [signal.SIGTERM, signal.SIGKILL])

    def test_immortal(self) -> None:
        """A process that even KILL does not end is let go: nobody waits for it, and its pipes are closed."""
        self.last.obeys = False
        self.patch(self.up._hubs.copy().pop().runner.current.child, "_signal_group", lambda *_: None)
        closing = Deferred.fromCoroutine(self.connection.close())
        self.reactor.pump([0.1] * 92)
        self.successResultOf(closing)
        self.assertEqual(self.last.pipes, {})
        self.assertTrue(self.warned("the process does not end"))
        self.last.exit(0)

    def test_closed_output(self) -> None:
        """A process that closes its output and lives on is ended, and its calls fail."""
        calling = self.call(self.connection, request())
        self.last.pipes[1].connectionLost(Failure(ConnectionDone()))
        self.assertNoResult(calling)
        self.reactor.advance(0.2)
        self.assertIn("closed its connection", self.failure(calling, UpstreamError))
        self.reactor.pump([0, 0])
        self.assertFalse(self.last.alive)

    def test_too_large(self) -> None:
        """A message over the limit fails the calls in flight, and the process is ended."""
        calling = self.call(self.connection, request())
        self.last.say_raw(b"x" * (1024 * 1024 + 1))
        self.failureResultOf(calling, MessageTooLarge)
        self.reactor.pump([0, 0])
        self.assertFalse(self.last.alive)

    def test_silent_restart(self) -> None:
        """A restart without a handshake fails the waiting requests, not the conversation."""
        self.die()
        self.reactor.prepare = silent
        calling = self.call(self.connection, request())
        self.reactor.advance(3)
        self.failureResultOf(calling, HandshakeFailed)
        self.reactor.prepare = lambda _: None
        self.reactor.pump([0.1] * 30)
        self.call(self.connection, request())
        self.assertEqual(self.last.methods[-1], "tools/call")


class CapTests(UpstreamCase):
    """How many processes one user may have."""

    def test_per_user(self) -> None:
        """Over the cap a user is told what to do; others, and who ended a session, are not concerned."""
        up = self.upstream(max_per_user=2)
        one, _ = self.open(up), self.open(up)
        error = self.failureResultOf(self.opening(up), TooManyRequests).value
        self.assertIn("maxPerUser", error.message)
        self.assertEqual(error.headers, ((b"Retry-After", b"30"),))
        self.open(up, BEN)
        for _ in range(4):
            self.open(up, NOBODY)
        Deferred.fromCoroutine(one.close())
        self.reactor.pump([0, 0])
        self.open(up, ADA)

    def test_in_all(self) -> None:
        """Over the cap of the gateway nobody starts a process, and a refused user's count stays as it was."""
        budget = SpawnBudget(2)
        up, other = self.upstream(budget), self.upstream(budget)
        self.open(up)
        self.open(other)
        self.assertIn("maxTotal", self.failure(self.opening(up), Unavailable))
        self.assertEqual(dict(up._seats._taken), {("basic", "ada"): 1})

    def test_concurrent(self) -> None:
        """Opens that are still in progress count."""
        self.reactor.prepare = silent
        up = self.upstream(max_per_user=1)
        opening = self.opening(up)
        self.failureResultOf(self.opening(up), TooManyRequests)
        opening.addErrback(lambda _: None)
