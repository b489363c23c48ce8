"""Every bound and switch of the config file does in a running gateway what docs/configuration.md says."""

from __future__ import annotations

import base64
import json
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from twisted.trial.unittest import TestCase

from tests.integration.conversation import (
    SseSession,
    conversations,
    post,
    standstill,
    text_of,
    tool,
)
from tests.integration.harness import ROOT, TOKEN, Answer, Gateway, Session, demo_server, wait_for
from tests.integration.steady import MIB, played
from tests.integration.wire import Wire

OTHER = "other-0123456789abcdef"
TWO = [{"type": "bearer", "tokens": [TOKEN, OTHER]}]


def event_ids(answer: Answer) -> list[str]:
    """Return the ids of the events of an answer."""
    return [line[4:] for line in answer.body.decode().splitlines() if line.startswith("id: ")]


class SettingsCase(TestCase):
    """Runs gateways."""

    timeout = 60

    @contextmanager
    def running(self, proxy: dict[str, Any] | None = None, **servers: dict[str, Any]) -> Iterator[Gateway]:
        """Run a gateway with servers, and stop it in order."""
        gateway = Gateway(servers or {"x": played("good")}, proxy=proxy)
        self.addCleanup(gateway.close)
        gateway.start()
        yield gateway
        if gateway.process is not None and gateway.process.poll() is None:
            gateway.stop()

    def surroundings(self, session: Session) -> dict[str, Any]:
        """Return what a server sees around itself."""
        return dict(json.loads(text_of(tool(session, "surroundings"))))

    def initialize(self, gateway: Gateway, server: str, token: str) -> Any:
        """Initialize for a user; return the answer."""
        body = b'{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25",'
        body += b'"capabilities":{},"clientInfo":{"name":"t","version":"1"}}}'
        return post(gateway, f"/{server}/mcp", body, token=token)

    def pid(self, gateway: Gateway, server: str, token: str = TOKEN) -> int:
        """Begin a session of a user; return the number of the process that serves it."""
        return int(self.initialize(gateway, server, token).message()["result"]["serverInfo"]["pid"])


class SessionSettings(SettingsCase):
    """proxy.sessions."""

    def test_timeout(self) -> None:
        """A session without a call or a stream ends after sessions.timeout, and one with either does not."""
        with self.running({"sessions": {"timeout": "1s", "cleanupInterval": "100ms"}}) as gateway:
            idle, calling, legacy = gateway.session("x"), gateway.session("x"), SseSession(gateway, "x")
            begun = time.monotonic()
            self.assertIn("result", tool(calling, "slow", seconds=1.8))
            self.assertEqual(idle.send({"jsonrpc": "2.0", "id": 1, "method": "ping"}).status, 404)
            self.assertIn("result", tool(legacy, "echo"))
            self.assertLess(time.monotonic() - begun, 5)
            self.assertEqual(len(gateway.family()), 2)
            legacy.end()

    def test_max_per_user(self) -> None:
        """The session after sessions.maxPerUser gets 429, when to come back and how to make room."""
        servers = {"x": played("good", serviceAuths=TWO), "y": played("good")}
        with self.running({"sessions": {"maxPerUser": 2}}, **servers) as gateway:
            first = gateway.session("x")
            gateway.session("x")
            refused = self.initialize(gateway, "x", TOKEN)
            self.assertEqual(refused.status, 429)
            self.assertEqual(refused.headers["retry-after"], "30")
            self.assertIn("you have 2 sessions of 'x' open", refused.message()["error"]["message"])
            self.assertIn("DELETE", refused.message()["error"]["message"])
            legacy = gateway.request("GET", "/x/sse", headers={"Accept": "text/event-stream"})
            self.assertEqual((legacy.status, legacy.headers["retry-after"]), (429, "30"))
            self.assertEqual(self.initialize(gateway, "x", OTHER).status, 200)
            self.assertEqual(self.initialize(gateway, "y", TOKEN).status, 200)
            self.assertEqual(first.end().status, 204)
            wait_for(lambda: self.initialize(gateway, "x", TOKEN).status == 200, 5, "the freeing of a seat")

    def test_max_total(self) -> None:
        """The session after sessions.maxTotal is refused, whose it may be, with when to come back."""
        servers = {"x": played("good", serviceAuths=TWO)}
        with self.running({"sessions": {"maxTotal": 2, "maxPerUser": 0}}, **servers) as gateway:
            gateway.session("x")
            gateway.session("x")
            refused = self.initialize(gateway, "x", OTHER)
            self.assertEqual(refused.status, 503)
            self.assertEqual(refused.headers["retry-after"], "30")
            self.assertIn("sessions.maxTotal", refused.message()["error"]["message"])


class LimitSettings(SettingsCase):
    """proxy.limits; those of bodies, heads and messages are under test_bad_input and test_bad_servers."""

    def resumable(self, limits: dict[str, Any]) -> list[int]:
        """Resume a stream of five events after each; return how many come again, -1 where it is refused."""
        with self.running({"limits": limits}) as gateway:
            session = gateway.session("x")
            params = {"name": "progress", "arguments": {}, "_meta": {"progressToken": "t"}}
            answer = session.send({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
            ids = event_ids(answer)
            self.assertEqual(len(ids), 5)
            return [self.resumed(session, ids, after) for after in range(5)]

    def resumed(self, session: Session, ids: list[str], after: int) -> int:
        """Resume after one event; return how many events come."""
        headers = {**session.headers, "Last-Event-ID": ids[after], "Accept": "text/event-stream"}
        answer = session.gateway.request("GET", session.path, headers=headers)
        if answer.status == 200:
            self.assertEqual(event_ids(answer), ids[after + 1 :])
            return len(event_ids(answer))
        self.assertEqual(answer.status, 404)
        self.assertIn("without Last-Event-ID", answer.message()["message"])
        return -1

    def test_replay(self) -> None:
        """A resumed stream gets what it missed if replayEvents and replayBytes kept it, else 404."""
        self.assertEqual(self.resumable({}), [4, 3, 2, 1, 0])
        self.assertEqual(self.resumable({"replayEvents": 2}), [-1, -1, 2, 1, 0])
        self.assertEqual(self.resumable({"replayBytes": 200}), [-1, -1, -1, 1, 0])

    def unread(self, gateway: Gateway) -> int:
        """Let a server flood a stream that nobody reads; return how much it could write."""
        session = gateway.session("flood")
        wire = Wire(gateway)
        self.addCleanup(wire.socket.close)
        wire.send("GET", session.path, more=f"Mcp-Session-Id: {session.headers['Mcp-Session-Id']}\r\n")
        return standstill(gateway.family()[0].pid)

    def test_stream_buffer(self) -> None:
        """So much waits for a client that does not read, before its server is read no more."""
        written = []
        for size in (MIB // 16, 8 * MIB):
            with self.running({"limits": {"streamBuffer": size}}, flood=played("flood-stdout")) as gateway:
                written.append(self.unread(gateway))
        self.assertGreater(written[1] - written[0], 5 * MIB)
        self.assertLess(written[1] - written[0], 12 * MIB)

    def drained(self, drain: str, seconds: float) -> Any:
        """Stop a gateway while a call runs that takes some seconds; return the call's response."""
        with self.running({"limits": {"drain": drain}}) as gateway:
            session, answers = gateway.session("x"), list[Any]()
            call = threading.Thread(target=lambda: answers.append(tool(session, "slow", seconds=seconds)))
            call.start()
            time.sleep(0.2)
            self.assertLess(gateway.stop(), 2)
        call.join(10)
        return answers[0]

    def test_drain(self) -> None:
        """A call may go on for limits.drain when the gateway stops, and no longer."""
        self.assertIn("error", self.drained("200ms", 30))
        self.assertIn("result", self.drained("2s", 0.6))


class DoorSettings(SettingsCase):
    """Who is let in, and where."""

    def test_hosts_and_origins(self) -> None:
        """AllowedHosts and allowedOrigins let in what is refused without them."""
        ping = b'{"jsonrpc":"2.0","id":7,"method":"ping"}'
        proxy = {"allowedHosts": ["gw.example"], "allowedOrigins": ["https://app.example"]}
        asked = {
            200: [{"Host": "gw.example"}, {"Origin": "https://app.example"}],
            403: [{"Host": "other.example"}, {"Origin": "https://other.example"}],
        }
        with self.running(proxy) as gateway:
            for status, requests in asked.items():
                for headers in requests:
                    self.assertEqual(post(gateway, "/x/mcp", ping, **headers).status, status, headers)

    def test_base_path(self) -> None:
        """The path of baseURL is in front of every server's, and in the URL that HTTP+SSE gives out."""
        gateway = Gateway({"x": played("good")}, base_path="/tools")
        self.addCleanup(gateway.close)
        gateway.start()
        self.assertIn("result", tool(gateway.session("x"), "echo"))
        self.assertEqual(post(gateway, "/x/mcp", b"{}").status, 404)
        gateway.stop()

    def test_credentials(self) -> None:
        """A bearer token and a user's password of serviceAuths let in, and nothing else does."""
        auths = [
            {"type": "bearer", "tokens": [TOKEN]},
            {"type": "basic", "username": "ada", "password": {"$env": "ADAS"}},
        ]
        gateway = Gateway({"x": played("good", serviceAuths=auths)}, environ={"ADAS": "pass:word"})
        self.addCleanup(gateway.close)
        gateway.start()
        ping = b'{"jsonrpc":"2.0","id":7,"method":"ping"}'
        self.assertEqual(post(gateway, "/x/mcp", ping).status, 200)
        for pair, status in ((b"ada:pass:word", 200), (b"ada:pass", 401), (b"ben:pass:word", 401)):
            basic = "Basic " + base64.b64encode(pair).decode()
            self.assertEqual(post(gateway, "/x/mcp", ping, token=None, Authorization=basic).status, status)
        self.assertNotIn("pass:word", gateway.text())
        gateway.stop()


class ServerSettings(SettingsCase):
    """The keys of a stdio server."""

    def test_surroundings(self) -> None:
        """cwd, env and envPassthrough shape what a server sees; it sees nothing else of the gateway's."""
        folder = os.path.realpath(tempfile.mkdtemp())
        self.addCleanup(os.rmdir, folder)
        env = {"PLAIN": "a", "REFERENCE": {"$env": "SECRET_B"}, "PYTHONPATH": str(ROOT)}
        server = played("good", cwd=folder, env=env, envPassthrough=["SHOWN"])
        server["args"].remove("-E")
        environ = {"SECRET_B": "b", "SHOWN": "c", "HIDDEN": "d"}
        gateway = Gateway({"x": server}, environ=environ)
        self.addCleanup(gateway.close)
        gateway.start()
        found = self.surroundings(gateway.session("x"))
        self.assertEqual(found["cwd"], folder)
        seen = {
            name: found["env"].get(name) for name in ("PLAIN", "REFERENCE", "SHOWN", "HIDDEN", "SECRET_B")
        }
        expected = {"PLAIN": "a", "REFERENCE": "b", "SHOWN": "c", "HIDDEN": None, "SECRET_B": None}
        self.assertEqual(seen, expected)
        gateway.stop()

    def test_timeout(self) -> None:
        """A call fails after timeout with -32001, and the server is told that it is cancelled."""
        with self.running(x=played("good", timeout="500ms")) as gateway:
            for session in conversations(gateway, "x"):
                error = tool(session, "slow", seconds=30)["error"]
                self.assertEqual(error["code"], -32001)
                self.assertIn("did not answer within 0.5 seconds", error["message"])
                self.assertIn("notifications/cancelled", text_of(tool(session, "seen")))
                session.end()

    def test_warm(self) -> None:
        """So many processes wait for sessions; a session takes one, and another is started."""
        with self.running(x=played("good", warm=2)) as gateway:
            wait_for(lambda: len(gateway.family()) == 2, 5, "the start of two processes")
            time.sleep(0.5)  # their handshakes
            spares = {one.pid for one in gateway.family()}
            self.assertIn(self.pid(gateway, "x"), spares)
            wait_for(lambda: len(gateway.family()) == 3, 5, "the start of another")
            self.assertIn(self.pid(gateway, "x"), spares)

    def test_isolation(self) -> None:
        """A process serves one session, the sessions of one user, or everybody."""
        kinds = ("session", "user", "shared")
        servers = {kind: played("good", isolation=kind, serviceAuths=TWO) for kind in kinds}
        with self.running(**servers) as gateway:
            pids = {
                kind: [self.pid(gateway, kind, token) for token in (TOKEN, TOKEN, OTHER)] for kind in kinds
            }
        first, second, third = pids["session"]
        self.assertEqual(len({first, second, third}), 3)
        first, second, third = pids["user"]
        self.assertEqual(first, second)
        self.assertNotEqual(first, third)
        self.assertEqual(len(set(pids["shared"])), 1)

    def test_tool_filter(self) -> None:
        """A tool that is not allowed, or is blocked, is neither listed nor called."""
        servers = {
            mode: demo_server(options={"toolFilter": {"mode": mode, "list": ["add"]}})
            for mode in ("allow", "block")
        }
        with self.running(**servers) as gateway:
            pairs = ((mode, session) for mode in servers for session in conversations(gateway, mode))
            for mode, session in pairs:
                names = {one["name"] for one in session.call("tools/list")["result"]["tools"]}
                self.assertEqual("add" in names, mode == "allow")
                self.assertEqual(len(names) > 1, mode == "block")
                answer = tool(session, "add", a=2, b=3)
                if mode == "allow":
                    self.assertEqual(answer["result"]["structuredContent"], {"sum": 5})
                    answer = tool(session, "echo", text="x")
                self.assertEqual(answer["error"]["code"], -32602)
                self.assertIn("Unknown tool", answer["error"]["message"])
                session.end()
