"""Tests of a real gateway against two users of one server, one of whom is hostile."""

from __future__ import annotations

import json
import re
import socket
import sys
import time
from typing import Any

from twisted.trial.unittest import TestCase

from tests.integration.harness import INITIALIZE, ROOT, Gateway
from tests.integration.processes import open_descriptors, resident_bytes

ANN = "token-of-ann-0123456789"
EVE = "token-of-eve-0123456789"
MIB = 1 << 20


def plain_server(**members: Any) -> dict[str, Any]:
    """Return the config of a server that behaves, for two users."""
    return {
        "transportType": "stdio",
        "command": sys.executable,
        "args": ["-m", "mcpfront.testing.hostile", "good"],
        "cwd": str(ROOT),
        "serviceAuths": [{"type": "bearer", "tokens": [ANN, EVE]}],
        **members,
    }


def request(method: str, id: Any = 1, **params: Any) -> dict[str, Any]:
    """Return a JSON-RPC request."""
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": params}


class Attack(TestCase):
    """A gateway that has to be as well after the attack as it was before."""

    def setUp(self):
        filtered = plain_server(options={"toolFilter": {"mode": "block", "list": ["seen"]}})
        servers = {"x": filtered, "shared": plain_server(isolation="shared")}
        self.gateway = Gateway(servers, environ={"LOG_LEVEL": "trace"})
        self.addCleanup(self.gateway.close)
        self.gateway.start()
        self.addCleanup(self.as_well_as_before)

    def as_well_as_before(self) -> None:
        """See that the gateway has told no secret and no fault, and stops with everything that it started."""
        log = self.gateway.log()
        own = [line for line in log if line["component"] != "server"]
        self.assertEqual([line for line in own if "exception" in line or line["level"] == "error"], [])
        self.assertEqual([line for line in own if line.get("status", 0) == 500], [])
        for secret in (ANN, EVE):
            self.assertNotIn(secret, self.gateway.text())
        answer = self.gateway.request("GET", "/health", token=None)
        self.assertEqual(answer.status, 200, (answer.body, self.gateway.text()[-800:]))
        self.gateway.stop()

    def session(self, token: str, server: str = "x") -> str:
        """Open a session; return its id."""
        answer = self.post(token, request("initialize", **INITIALIZE), server=server)
        return answer.headers["mcp-session-id"]

    def post(self, token: str, message: Any, server: str = "x", **headers: str) -> Any:
        """POST a message as a user."""
        return self.gateway.request("POST", f"/{server}/mcp", message, token=token, headers=headers)

    def head(self, token: str, size: int, more: str = "", line: str = "POST /x/mcp HTTP/1.1") -> bytes:
        """Write the head of a request."""
        return (
            f"{line}\r\nHost: 127.0.0.1:{self.gateway.port}\r\nAuthorization: Bearer {token}\r\n"
            f"Accept: application/json\r\nContent-Type: application/json\r\n{more}"
            f"Content-Length: {size}\r\n\r\n"
        ).encode()

    def connect(self) -> socket.socket:
        """Open a connection that reads little at a time."""
        wire = socket.socket()
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        wire.settimeout(10)
        wire.connect(("127.0.0.1", self.gateway.port))
        self.addCleanup(wire.close)
        return wire

    def exchange(self, data: bytes, until: bytes = b"\r\n\r\n") -> bytes:
        """Send bytes on a new connection; return what comes until a text or the end."""
        wire = self.connect()
        wire.sendall(data)
        answer = b""
        while until not in answer and (more := wire.recv(65536)):
            answer += more
        return answer


class IsolationTests(Attack):
    """What one user can reach of another's."""

    def test_stolen_session(self):
        """With the session id of another user every request is answered as if there were no such session."""
        session = self.session(ANN)
        stolen = {"Mcp-Session-Id": session}
        for method, path, more in (
            ("POST", "/x/mcp", {}),
            ("GET", "/x/mcp", {}),
            ("GET", "/x/mcp", {"Last-Event-ID": "1-1"}),
            ("GET", "/x/sse", {}),
            ("DELETE", "/x/mcp", {}),
            ("POST", f"/x/message?sessionId={session}", {}),
            ("POST", "/shared/mcp", {}),
        ):
            body = request("tools/list") if method == "POST" else None
            answer = self.gateway.request(method, path, body, token=EVE, headers={**stolen, **more})
            unknown = {"Mcp-Session-Id": "x" * 32, **more}
            other = self.gateway.request(
                method, path.replace(session, "x" * 32), body, token=EVE, headers=unknown
            )
            self.assertEqual((answer.status, answer.body), (404, other.body), (method, path))
        self.assertEqual(self.post(ANN, request("tools/list"), **stolen).status, 200)

    def test_one_connection(self):
        """Requests of two users in one connection are answered each for its own user, in sequence."""
        session = self.session(ANN)
        parts = []
        for number, token in enumerate((ANN, EVE, "nobody", ANN)):
            body = json.dumps(request("ping", number)).encode()
            parts.append(self.head(token, len(body), f"Mcp-Session-Id: {session}\r\n") + body)
        answer = self.exchange(b"".join(parts), until=b'"id":3')
        statuses = [int(status) for status in re.findall(rb"HTTP/1.1 (\d+)", answer)]
        self.assertEqual(statuses, [200, 404, 401, 200])

    def test_shared_process(self):
        """In a shared process nobody can name another's call: not by a second id, nor by a cancellation."""
        ann, eve = self.session(ANN, "shared"), {"Mcp-Session-Id": self.session(EVE, "shared")}
        body = json.dumps(request("tools/call", 7, name="slow", arguments={"seconds": 2})).encode()
        wire = self.connect()
        more = f"Mcp-Session-Id: {ann}\r\n"
        wire.sendall(self.head(ANN, len(body), more, "POST /shared/mcp HTTP/1.1") + body)
        for other in range(20):
            cancel = request("notifications/cancelled", 1, requestId=other)
            self.assertEqual(self.post(EVE, cancel, "shared", **eve).status, 400)
            cancel.pop("id")
            self.assertEqual(self.post(EVE, cancel, "shared", **eve).status, 202)
            second = {**request("ping", 1), "ID": other}
            self.assertEqual(self.post(EVE, second, "shared", **eve).status, 400)
        answer = b""
        while b'"id":7' not in answer:
            answer += wire.recv(65536)
        self.assertIn(b'"result"', answer)

    def test_hidden_tool(self):
        """A tool that is filtered out is reached by no spelling of its call."""
        session = {"Mcp-Session-Id": self.session(ANN)}
        for members in (
            r'"id":1,"method":"tools\/call","params":{"name":"s\u0065en","arguments":{}}',
            r'"id":1,"method":"tools/call","params":{"name":"echo","n\u0061me":"seen","arguments":{}}',
            '"id":1,"method":"tools/call","params":{"name":"echo","NAME":"seen","arguments":{}}',
            '"id":1,"method":"ping","METHOD":"tools/call","params":{"name":"seen","arguments":{}}',
            '"id":1,"method":"tools/call","params":["seen"]',
            '"id":1,"method":"tools/call","params":{"name":["seen"]}',
            '"method":"tools/call","params":{"name":"seen","arguments":{}}',
        ):
            raw = ('{"jsonrpc":"2.0",' + members + "}").encode()
            more = f"Mcp-Session-Id: {session['Mcp-Session-Id']}\r\n"
            answer = self.exchange(self.head(ANN, len(raw), more) + raw, until=b"}}")
            self.assertRegex(answer, rb'"code":-3260[02]', members)


class EngineTests(Attack):
    """Requests that are made to break the engine."""

    def test_odd_requests(self):
        """Odd hosts, targets, queries, codings and ids are refused or answered, never a fault."""
        message = f"POST /x/message?{'a&' * 50} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {ANN}"
        for head, status in (
            ("GET /nothing HTTP/1.1\r\nHost: " + "a" * 70, 400),
            ("GET /nothing HTTP/1.1\r\nHost: a..b", 400),
            ("GET //health HTTP/1.1\r\nHost: x", 200),
            ("GET /%2e%2e/health HTTP/1.1\r\nHost: x", 404),
            ("GET /x/mcp HTTP/1.1\r\nHost: x", 403),
            ("CONNECT x:1 HTTP/1.1\r\nHost: x", 400),
            (message, 415),
            (message + "\r\nContent-Type: application/json", 400),
            ("POST /x/mcp HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x", 400),
        ):
            answer = self.exchange(head.encode() + b"\r\n\r\n")
            self.assertIn(b" %d " % status, answer.split(b"\r\n")[0], head)

    def test_split_answer(self):
        """Line breaks in ids and names stay inside the JSON of the answer."""
        session = {"Mcp-Session-Id": self.session(ANN)}
        answer = self.post(ANN, request("ping", "1\r\nX-Evil: 1\r\n\r\n{}"), **session)
        self.assertEqual(answer.message()["id"], "1\r\nX-Evil: 1\r\n\r\n{}")
        self.assertNotIn("x-evil", answer.headers)
        self.post(ANN, request("x\nlevel=error msg=forged\u202e\x1b[31m"), **session)
        forged = [line for line in self.gateway.text().splitlines() if "forged" in line]
        self.assertEqual([line.startswith("{") and line.isascii() for line in forged], [True])


class MemoryTests(Attack):
    """Clients that send without a right or read nothing."""

    def grown(self, before: int) -> float:
        """Return by how many MiB the gateway has grown."""
        return (resident_bytes(self.gateway.pid) - before) / MIB

    def test_bodies_of_nobody(self):
        """Large bodies with a bad credential are not kept while they arrive."""
        before = resident_bytes(self.gateway.pid)
        for _ in range(40):
            wire = self.connect()
            wire.sendall(self.head("nobody", 4 * MIB - 1))
            self.assertIn(b" 401 ", wire.recv(65536))
            wire.sendall(b"x" * (MIB // 4))
        self.assertLess(self.grown(before), 10)

    def test_large_calls(self):
        """Large requests in flight are bounded for each session; the rest are told to wait."""
        session = self.session(ANN)
        before = resident_bytes(self.gateway.pid)
        arguments = {"seconds": 3, "x": "x" * (4 * MIB - 1000)}
        body = json.dumps(request("tools/call", name="slow", arguments=arguments)).encode()
        more = f"Mcp-Session-Id: {session}\r\n"
        wires = [self.connect() for _ in range(12)]
        for wire in wires:
            wire.sendall(self.head(ANN, len(body), more) + body)
        statuses = [int(wire.recv(65536).split()[1]) for wire in wires]
        self.assertEqual((statuses.count(200), statuses.count(429)), (4, 8))
        self.assertLess(self.grown(before), 80)

    def test_comes_and_goes(self):
        """Connections that are dropped at any point leave no process and no descriptor."""
        self.session(ANN)
        before = open_descriptors(self.gateway.pid), len(self.gateway.family())
        body = json.dumps(request("initialize", **INITIALIZE)).encode()
        whole = self.head(EVE, len(body)) + body
        for i in range(300):
            wire = self.connect()
            wire.sendall(whole[: 1 + i * len(whole) // 300])
            if i % 2:
                wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            wire.close()
        deadline = time.monotonic() + 10
        after = before
        while time.monotonic() < deadline:
            after = open_descriptors(self.gateway.pid), len(self.gateway.family())
            if after <= before:
                break
            time.sleep(0.1)
        self.assertLessEqual(after, before)
