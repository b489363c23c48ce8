"""Servers that misbehave in every known way behind a real gateway, over both transports.

The answers are those of docs/bad-input.md.
"""

from __future__ import annotations

import json
from typing import Any

from tests.integration.conversation import (
    SseSession,
    conversations,
    text_of,
    tool,
)
from tests.integration.harness import INITIALIZE, Gateway, Session, wait_for
from tests.integration.processes import survivors
from tests.integration.steady import MIB, SteadyCase, played, proxy

BEGIN = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": INITIALIZE}
CONNECTION_CLOSED = -32000
REQUEST_TIMEOUT = -32001


def vanish(session: Session | SseSession) -> None:
    """Leave without DELETE, as clients do."""
    if isinstance(session, SseSession):
        session.end()


class BadServerTests(SteadyCase):
    """One server each that behaves badly, beside one that behaves."""

    def fails(self, response: Any, code: int, *texts: str) -> None:
        """See a response that is an error with a code and texts."""
        self.assertEqual(response["error"]["code"], code, response)
        for text in texts:
            self.assertIn(text, response["error"]["message"])

    def works(self, gateway: Gateway, server: str) -> None:
        """See a server answer calls right over both transports."""
        for session in conversations(gateway, server):
            for number in range(3):
                self.assertIn(f"call {number}", text_of(tool(session, "echo", text=f"call {number}")))
            vanish(session)

    def handshakes(self, gateway: Gateway, server: str) -> list[Any]:
        """Ask a server to initialize over both transports; return the responses."""
        answer = gateway.request("POST", f"/{server}/mcp", BEGIN)
        self.assertEqual(answer.status, 200)
        self.assertNotIn("mcp-session-id", answer.headers)
        legacy = SseSession(gateway, server, initialize=False)
        responses = [answer.message(), legacy.call("initialize", INITIALIZE, id=0)]
        legacy.end()
        return responses

    def dropped(self, gateway: Gateway, server: str) -> list[Any]:
        """Return the log's lines about dropped messages of a server."""
        lines = self.told(gateway, "dropped a message of the server")
        return [line for line in lines if line["server"] == server]

    def test_floods_stdout(self) -> None:
        """A server that prints messages without end answers calls; memory stays, others are served."""
        with self.running({"bad": played("flood-stdout")}, proxy(streamBuffer=65536)) as gateway:
            for session in conversations(gateway, "bad"):
                self.assertIn("result", tool(session, "echo"))
                self.assertIn("result", tool(gateway.session("good"), "echo"))
                session.end()

    def test_floods_stderr(self) -> None:
        """A server that logs without end works; its log is cut in length and number, and that is told."""
        with self.running({"bad": played("flood-stderr")}) as gateway:
            self.works(gateway, "bad")
            wait_for(lambda: self.told(gateway, "stderr lines suppressed"), 10, "the count of lines")
            lines = self.told(gateway, "stderr")
            self.assertLessEqual(max(len(line["line"]) for line in lines), 2048)
            self.assertLess(len(lines), 2000)

    def test_answers_wrongly(self) -> None:
        """Garbage, second answers and answers to nothing are dropped; a half character is mended."""
        modes = ("garbage", "twice", "unknown-id")
        with self.running({mode: played(mode) for mode in (*modes, "half-surrogates")}) as gateway:
            for session in conversations(gateway, "half-surrogates"):
                self.assertEqual(text_of(tool(session, "echo")), "cut \ufffd")
                session.end()
            for mode in modes:
                self.works(gateway, mode)
                self.assertTrue(self.dropped(gateway, mode), mode)
            session = gateway.session("unknown-id")
            call = {"jsonrpc": "2.0", "id": 9, "method": "tools/call", "params": {"name": "echo"}}
            self.assertEqual([message["id"] for message in session.send(call).messages()], [9])
            self.assertNotIn("Welcome", gateway.text())

    def test_never_starts(self) -> None:
        """A server that ends, never answers, refuses or is not there fails the handshake with the reason."""
        servers = {
            "refusing": played("refuses"),
            "ends": played("exit-at-once"),
            "silent": played("never-initialize", handshakeTimeout="500ms"),
            "missing": {**played("good"), "command": "no-such-program", "args": ["--key=s3cret"]},
        }
        with self.running(servers) as gateway:
            for response in self.handshakes(gateway, "ends"):
                self.fails(response, CONNECTION_CLOSED, "the server 'ends' ended (exit code 7)")
            for response in self.handshakes(gateway, "silent"):
                self.fails(response, CONNECTION_CLOSED, "the server 'silent' did not", "within 0.5 seconds")
            for response in self.handshakes(gateway, "refusing"):
                self.fails(response, -32042, "no entry")
                self.assertEqual(response["error"]["data"], {"why": "because"})
            for response in self.handshakes(gateway, "missing"):
                self.fails(response, CONNECTION_CLOSED, "the command 'no-such-program' was not found")
            self.assertNotIn("s3cret", gateway.text())

    def test_breaks_in_a_call(self) -> None:
        """A server that dies, closes its output or never ends a message fails its call at once."""
        modes = ("closes-stdout", "huge-line")
        with self.running({mode: played(mode) for mode in modes}, proxy(message=MIB)) as gateway:
            for session in conversations(gateway, "good"):
                self.fails(tool(session, "die"), CONNECTION_CLOSED, "the server 'good' ended (exit code 3)")
                self.assertIn("again", text_of(tool(session, "echo", text="again")))
                session.end()
            for session in conversations(gateway, "closes-stdout"):
                self.fails(tool(session, "echo"), CONNECTION_CLOSED, "closed its connection")
                vanish(session)
            for session in conversations(gateway, "huge-line"):
                self.fails(tool(session, "echo"), CONNECTION_CLOSED, f"sent a message over {MIB} bytes")
                vanish(session)

    def test_ignores_eof_and_term(self) -> None:
        """A server that ignores the end of input and TERM is killed when its session ends."""
        with self.running({"bad": played("stubborn")}) as gateway:
            for session in conversations(gateway, "bad"):
                self.assertIn("result", tool(session, "echo"))
                session.end()
            wait_for(lambda: not gateway.family(), 12, "the end of stubborn children")
            ends = [line["how"] for line in self.told(gateway, "process ended") if line["server"] == "bad"]
            self.assertEqual(ends, ["signal SIGKILL"] * 2)

    def test_reads_nothing(self) -> None:
        """A server that reads nothing fails calls over the bound at once, the others at their timeout."""
        bad = played("deaf", timeout="1s")
        with self.running({"bad": bad}, proxy(message=MIB), peak=24 * MIB) as gateway:
            session = SseSession(gateway, "bad")
            params = {"name": "echo", "arguments": {"padding": "x" * (MIB - 1024)}}
            for number in range(8):
                call = {"jsonrpc": "2.0", "id": number + 1, "method": "tools/call", "params": params}
                self.assertEqual(session.send(call).status, 202)
            failures = [json.loads(session.event())["error"] for _ in range(8)]
            texts = {error["code"]: error["message"] for error in failures}
            self.assertIn("does not read its input", texts[CONNECTION_CLOSED])
            self.assertIn("did not answer within 1 seconds", texts[REQUEST_TIMEOUT])
            self.assertIn("result", tool(gateway.session("good"), "echo"))
            session.end()

    def test_forks_grandchildren(self) -> None:
        """What a server has started ends with it, also what moved to a session of its own."""
        with self.running({"bad": played("grandchildren")}) as gateway:
            session = gateway.session("bad")
            self.assertIn("result", tool(session, "echo"))
            wait_for(lambda: len(gateway.family()) == 3, 10, "the start of two grandchildren")
            family = gateway.family()
            self.assertEqual(len({one.session for one in family}), 2)
            session.end()
            wait_for(lambda: not survivors(family), 10, "the end of the family")

    def test_forks_grandchildren_until_the_stop(self) -> None:
        """What a server has started is gone when the gateway has stopped, wherever it moved to."""
        with Gateway({"bad": played("grandchildren")}) as gateway:
            self.assertIn("result", tool(gateway.session("bad"), "echo"))
            wait_for(lambda: len(gateway.family()) == 3, 10, "the start of two grandchildren")
            self.assertLess(gateway.stop(), 5)
