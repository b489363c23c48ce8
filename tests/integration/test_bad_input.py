"""Clients that send what makes no sense, too much, too little or too slowly, to a real gateway.

The answers are those of docs/bad-input.md.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

from tests.integration.conversation import (
    SseSession,
    conversations,
    post,
    standstill,
    text_of,
    tool,
)
from tests.integration.harness import TOKEN, Answer, Gateway, Session
from tests.integration.steady import MIB, SteadyCase, played, proxy
from tests.integration.wire import Wire

PING = b'{"jsonrpc":"2.0","id":7,"method":"ping"}'
UNPARSEABLE = {
    "nothing": b"",
    "the begin of an object": b"{",
    "a truncated message": PING[:-5],
    "two messages": PING + b"\n" + PING,
    "more after the message": PING + b" and so on",
    "a word that JSON lacks": b'{"jsonrpc":"2.0","id":NaN,"method":"ping"}',
    "single quotes": PING.replace(b'"', b"'"),
    "a form": b"jsonrpc=2.0&id=7&method=ping",
}
BINARY = {
    "every byte": bytes(range(256)),
    "zeros": bytes(1000),
    "gzip": b"\x1f\x8b\x08\0\0\0\0\0\0\3",
    "UTF-16": PING.decode().encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + PING,
    "Latin-1": b'{"jsonrpc":"2.0","id":7,"method":"caf\xe9"}',
    "a raw control character": PING.replace(b"ping", b"pi\ng"),
}
NO_MESSAGE = {
    "null": b"null",
    "a number": b"1",
    "a string": b'"ping"',
    "no version": b'{"id":7,"method":"ping"}',
    "another version": b'{"jsonrpc":"1.0","id":7,"method":"ping"}',
    "no method": b'{"jsonrpc":"2.0","id":7}',
    "a method that is no string": b'{"jsonrpc":"2.0","id":7,"method":5}',
    "an id that is null": b'{"jsonrpc":"2.0","id":null,"method":"ping"}',
    "an id that is an object": b'{"jsonrpc":"2.0","id":{},"method":"ping"}',
    "an id with a fraction": b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}',
    "an id of two kilobytes": b'{"jsonrpc":"2.0","id":"%s","method":"ping"}' % (b"x" * 2048),
    "an empty batch": b"[]",
    "a batch of 101": b"[" + b",".join([PING] * 101) + b"]",
    "a result and an error": b'{"jsonrpc":"2.0","id":7,"result":{},"error":{}}',
}
DEEP = 100_000
NESTED = {
    "arrays without end": b"[" * DEEP,
    "arrays": b"[" * DEEP + b"]" * DEEP,
    "objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "params": b'{"jsonrpc":"2.0","id":7,"method":"ping","params":{"a":' + b"[" * DEEP + b"]" * DEEP + b"}}",
    "params, written loosely": b'{ "jsonrpc":"2.0","id":7,"method":"ping","params":{"a":'
    + b"[" * DEEP + b"]" * DEEP + b"}}",
}  # fmt: skip
TWICE = {
    "method": b'{"jsonrpc":"2.0","id":7,"method":"ping","method":"tools/call"}',
    "method, spelled otherwise": b'{"jsonrpc":"2.0","id":7,"method":"ping","m\\u0065thod":"tools/call"}',
    "params": b'{"jsonrpc":"2.0","id":7,"method":"ping","params":{},"params":{"name":"die"}}',
    "id": b'{"jsonrpc":"2.0","id":7,"id":8,"method":"ping"}',
}
NAME_TWICE = b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","name":"die"}}'


class MessageTests(SteadyCase):
    """Bodies that are no message."""

    def post_all(self, gateway: Gateway, bodies: dict[str, bytes]) -> Iterator[tuple[str, Answer]]:
        """POST every body over each transport, in a session and, where there can be none, without."""
        session, legacy = gateway.session("good"), SseSession(gateway, "good")
        for what, body in bodies.items():
            session_id = session.headers["Mcp-Session-Id"]
            yield what, post(gateway, "/good/mcp", body, Mcp_Session_Id=session_id)
            yield what, post(gateway, "/good/mcp", body)
            yield what, post(gateway, "/good/sse", body)
            if body[:1] != b"[":  # that transport has no batches, so that an array is no message
                yield what, post(gateway, legacy.path, body)
        for one in (session, legacy):
            self.assertIn("result", one.call("ping"))
            one.end()

    def refused(self, bodies: dict[str, bytes], code: int, *texts: str) -> None:
        """See every body refused with HTTP status 400 and a JSON-RPC error."""
        with self.running({}) as gateway:
            for what, answer in self.post_all(gateway, bodies):
                self.assertEqual(answer.status, 400, what)
                message = answer.message()
                self.assertEqual(message["error"]["code"], code, what)
                self.assertIn(message["id"], (None, 7, 8), what)
                self.assertTrue(any(text in message["error"]["message"] for text in texts), message)

    def test_unparseable(self) -> None:
        """Text that is no JSON is answered with 400, -32700 and where it went wrong."""
        self.refused(UNPARSEABLE, -32700, "the body is not valid JSON")

    def test_binary(self) -> None:
        """Bytes that are no UTF-8 or no text are answered with 400, -32700 and where they begin."""
        self.refused(BINARY, -32700, "the body is not UTF-8 (byte ", "the body is not valid JSON")

    def test_no_message(self) -> None:
        """JSON that is no message, or no batch of 1 to 100, is answered with 400, -32600 and what one has."""
        texts = ("must be", "must not be", "a JSON-RPC message is", "a message has", "1 to 100 messages")
        self.refused(NO_MESSAGE, -32600, *texts)

    def test_nested(self) -> None:
        """JSON nested 100,000 levels deep is answered with 400 and -32700, whatever it consists of."""
        self.refused(NESTED, -32700, "nested too deeply")

    def test_duplicate_keys(self) -> None:
        """A message with a key twice is answered with 400 and -32600, however the key is spelled."""
        self.refused(TWICE, -32600, "a key comes twice")

    def test_duplicate_names(self) -> None:
        """A call that names two tools is answered with -32600, and the server does not see it."""
        with self.running({}) as gateway:
            for session in conversations(gateway, "good"):
                before = text_of(tool(session, "seen")).count("tools/call")
                response = self.answer(session, NAME_TWICE)
                self.assertEqual(response["error"]["code"], -32600, response)
                self.assertIn("a key comes twice", response["error"]["message"])
                self.assertEqual(text_of(tool(session, "seen")).count("tools/call"), before + 1)
                session.end()

    def test_passed_on(self) -> None:
        """Arguments are the server's to judge: 500 levels and a key twice reach it byte for byte."""
        strange = b'"arguments":{"a":1,"a":2,"deep":' + b"[" * 500 + b"]" * 500 + b"}"
        with self.running({}) as gateway:
            for session in conversations(gateway, "good"):
                response = self.answer(session, NAME_TWICE.replace(b'"name":"die"', strange))
                self.assertIn(strange.decode(), text_of(response))
                session.end()

    def answer(self, session: Session | SseSession, body: bytes) -> Any:
        """POST bytes that have the id 7 and return the response."""
        answer = post(session.gateway, session.path, body, **getattr(session, "headers", {}))
        return session.response(7) if isinstance(session, SseSession) else answer.message()

    def test_media_type(self) -> None:
        """A body that is not said to be JSON is answered with 415 and what to send."""
        with self.running({}) as gateway:
            legacy = SseSession(gateway, "good")
            for path in ("/good/mcp", "/good/sse", legacy.path):
                for content_type in ("text/plain", "application/x-www-form-urlencoded", ""):
                    answer = post(gateway, path, PING, content_type=content_type)
                    self.assertEqual(answer.status, 415)
                    self.assertIn("Content-Type: application/json", answer.message()["message"])
            legacy.end()


class SizeTests(SteadyCase):
    """Bodies that are too large."""

    def refused(self, answer: Answer, limit: int) -> str:
        """See a body refused for its size; return the text."""
        self.assertEqual(answer.status, 413)
        self.assertEqual(answer.headers["connection"], "close")
        self.assertEqual(answer.message()["error"], "content_too_large")
        text = str(answer.message()["message"])
        self.assertIn(f"over the limit of {limit} bytes", text)
        return text

    def test_oversized(self) -> None:
        """A body over limits.body is answered with 413 before it is complete, announced or not."""
        with self.running({}, proxy(body=MIB)) as gateway:
            for _ in range(30):  # each is let go of when it is answered
                self.assertEqual(post(gateway, "/good/mcp", PING.ljust(MIB)).status, 200)
            self.refused(post(gateway, "/good/mcp", PING.ljust(MIB + 1)), MIB)
            session, legacy = conversations(gateway, "good")
            for path in (session.path, legacy.path):
                self.refused(post(gateway, path, bytes(8 * MIB)), MIB)
                self.refused(post(gateway, path, (bytes(65536) for _ in range(128))), MIB)
            self.assertEqual(text_of(tool(legacy, "last_words")), "goodbye")
            legacy.end()

    def test_unauthenticated(self) -> None:
        """Without a credential limits.bodyUnauthenticated holds; without a good one nothing is read."""
        with self.running({}, proxy(bodyUnauthenticated=2048)) as gateway:
            for path in ("/good/mcp", "/good/message?sessionId=x", "/health"):
                text = self.refused(post(gateway, path, bytes(MIB), token=None), 2048)
                self.assertIn("credential", text)
            for token, body in ((None, PING), (None, b"{"), ("wrong", PING), ("wrong", bytes(MIB))):
                answer = post(gateway, "/good/mcp", body, token=token)
                self.assertEqual(answer.status, 401)
                self.assertIn("www-authenticate", answer.headers)

    def test_many_at_once(self) -> None:
        """Fifty uploads that are never completed cost no more than what they have sent."""
        bounds = {"peak": 40 * MIB, "growth": 24 * MIB}  # an allocator keeps some of what was freed
        with self.running({}, proxy(bodyTimeout="500ms"), **bounds) as gateway:
            for _ in range(3):
                wires = [Wire(gateway) for _ in range(50)]
                for wire in wires:
                    wire.socket.sendall(head(gateway, "Content-Length: 4000000") + bytes(MIB // 2))
                for wire in wires:
                    self.assertIn(b"408 Request Timeout", wire.read_to_end())
                    wire.socket.close()


def head(gateway: Gateway, *lines: str) -> bytes:
    """Return the head of a POST with some header lines."""
    known = [f"Host: 127.0.0.1:{gateway.port}", f"Authorization: Bearer {TOKEN}"]
    types = ["Content-Type: application/json", "Accept: application/json, text/event-stream"]
    return "\r\n".join(["POST /good/mcp HTTP/1.1", *known, *types, *lines, "", ""]).encode()


class ConnectionTests(SteadyCase):
    """Requests that never become complete, and clients that never read."""

    def say(self, gateway: Gateway, *data: bytes) -> list[bytes]:
        """Send bytes on a connection each; return what is answered until the gateway closes."""
        wires = [Wire(gateway) for _ in data]
        for wire, some in zip(wires, data, strict=True):
            self.addCleanup(wire.socket.close)
            wire.socket.sendall(some)
        return [wire.read_to_end() for wire in wires]

    def drip(self, gateway: Gateway, data: bytes, more: bytes) -> tuple[bytes, float]:
        """Send bytes, then some more every 50 ms; return what is answered and after how many seconds."""
        wire = Wire(gateway)
        self.addCleanup(wire.socket.close)
        wire.socket.sendall(data)
        wire.socket.settimeout(0.05)
        begun, answer = time.monotonic(), b""
        while time.monotonic() - begun < 10:
            try:
                wire.socket.sendall(more)
                answer += wire.socket.recv(65536)
                if b'"}' in answer:
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        return answer, time.monotonic() - begun

    def test_half_a_request(self) -> None:
        """Half a head, or half a body, is answered with 408 when its time is over."""
        with self.running({}, proxy(headerTimeout="500ms", bodyTimeout="700ms")) as gateway:
            half_head = head(gateway)[:40]
            half_body = head(gateway, "Content-Length: 100") + b'{"jsonrpc"'
            *answers, nothing = self.say(gateway, half_head, half_body, b"")
            for answer, part in zip(answers, (b"head", b"body"), strict=True):
                self.assertIn(b"408 Request Timeout", answer)
                self.assertIn(b"the %s of the request did not arrive in time" % part, answer)
            self.assertEqual(nothing, b"")

    def test_half_a_request_closed(self) -> None:
        """Clients that close in the middle of a request leave nothing, and no server is started for them."""
        with self.running({}) as gateway:
            whole = head(gateway, f"Content-Length: {len(PING)}") + PING
            for cut in range(1, len(whole), 7):
                wire = Wire(gateway)
                wire.socket.sendall(whole[:cut])
                (wire.drop if cut % 2 else wire.socket.close)()
            self.assertEqual(gateway.family(), [])

    def test_endless(self) -> None:
        """A head or body that comes bit by bit without end gets 408 when its time is over, a fast one 413."""
        settings = proxy(body=MIB, headerTimeout="600ms", bodyTimeout="600ms")
        with self.running({}, settings) as gateway:
            chunked = head(gateway, "Transfer-Encoding: chunked")
            for begin, more in ((head(gateway)[:-2], b"X: y\r\n"), (chunked, b"1\r\n \r\n")):
                answer, took = self.drip(gateway, begin, more)
                self.assertIn(b"408 Request Timeout", answer)
                self.assertLess(took, 3)
            answer = post(gateway, "/good/mcp", (bytes(65536) for _ in range(10_000)))
            self.assertEqual(answer.status, 413)

    def test_header_flood(self) -> None:
        """Too many headers, too long ones and one without end are answered with 431 and the bound."""
        floods = {
            b"more than 100 headers": b"".join(b"X-%d: y\r\n" % n for n in range(200)) + b"\r\n",
            b"over 32768 bytes": b"".join(b"X-%d: %s\r\n" % (n, b"y" * 8000) for n in range(20)),
            b"over 16384 bytes": b"X: " + b"y" * 20 * MIB,
        }
        with self.running({}) as gateway:
            for bound, flood in floods.items():
                answer, _ = self.drip(gateway, head(gateway)[:-2] + flood, b"Y: y\r\n")
                self.assertIn(b"431 Request Header Fields Too Large", answer)
                self.assertIn(bound, answer)

    def test_malformed(self) -> None:
        """What is no HTTP/1.1, or could be read in two ways, is answered with 400 and closed."""
        with self.running({}) as gateway:
            two = head(gateway, "Content-Length: 40", "Transfer-Encoding: chunked")
            answers = self.say(
                gateway,
                b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40) + b"\r\n\r\n",
                b"nonsense\r\n\r\n",
                b"GET /good/mcp HTTP/1.1\r\n\r\n",
                two + b"0\r\n\r\n",
                head(gateway, "Content-Length: -1"),
                head(gateway, "Content-Length: 4", "Content-Length: 40") + PING,
                head(gateway, "Transfer-Encoding: chunked") + b"xyz\r\n",
                head(gateway, "Host: elsewhere.example"),
            )
            for answer in answers:
                self.assertIn(b" 400 Bad Request\r\n", answer)

    def test_reads_no_answers(self) -> None:
        """A client that reads none of its answers is read no more; what waits for it is bounded."""
        text = "x" * (MIB // 2)
        call = {"jsonrpc": "2.0", "id": 7, "method": "tools/call"}
        body = json.dumps({**call, "params": {"name": "echo", "arguments": {"text": text}}}).encode()
        with self.running({}, peak=24 * MIB) as gateway:
            session = gateway.session("good")
            session_id = session.headers["Mcp-Session-Id"]
            wire = Wire(gateway)
            wire.socket.settimeout(1)
            one = head(gateway, f"Content-Length: {len(body)}", f"Mcp-Session-Id: {session_id}") + body
            sent = 0
            with self.assertRaises(TimeoutError):
                while sent < 200:
                    wire.socket.sendall(one)
                    sent += 1
            self.assertIn("result", gateway.session("good").call("ping"))
            wire.drop()

    def test_reads_no_stream(self) -> None:
        """A stream that nobody reads stops its server, and goes on when it is read again."""
        with self.running({"flood": played("flood-stdout")}, proxy(streamBuffer=65536)) as gateway:
            session, other = gateway.session("flood"), gateway.session("good")
            wire = Wire(gateway)
            wire.send("GET", "/flood/mcp", more=f"Mcp-Session-Id: {session.headers['Mcp-Session-Id']}\r\n")
            standstill(next(one.pid for one in gateway.family() if "flood" in one.command))
            self.assertIn("result", other.call("ping"))
            read = 0
            while read < 16 * MIB:
                read += len(wire.socket.recv(MIB))
            wire.drop()
            session.end()
