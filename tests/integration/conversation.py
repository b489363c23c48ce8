"""Requests as raw bytes, and sessions over HTTP+SSE with the same face as those over Streamable HTTP."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.integration.harness import INITIALIZE, TOKEN, Answer, Gateway, Session

BOTH = "application/json, text/event-stream"


def post(
    gateway: Gateway,
    path: str,
    body: bytes | Iterator[bytes],
    *,
    token: str | None = TOKEN,
    content_type: str = "application/json",
    timeout: float = 30.0,
    **headers: str,
) -> Answer:
    """POST bytes, chunked when they come bit by bit, and read the whole answer.

    A gateway that answers before the body is complete is heard: the rest is not sent.
    """
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=timeout)
    sent = {"Accept": BOTH, "Content-Type": content_type, "Host": f"127.0.0.1:{gateway.port}"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    if token is not None:
        sent["Authorization"] = f"Bearer {token}"
    try:
        with suppress(BrokenPipeError, ConnectionResetError):  # what was answered before can still be read
            connection.request("POST", path, body, sent, encode_chunked=not isinstance(body, bytes))
        answer = connection.getresponse()
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
    finally:
        connection.close()


class SseSession:
    """One MCP session over HTTP+SSE, begun by the handshake.

    Args:
        gateway: where.
        server: the server's name.
        initialize: whether to do the handshake.
    """

    def __init__(self, gateway: Gateway, server: str, *, initialize: bool = True) -> None:
        self.gateway = gateway
        self.connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30)
        headers = {"Accept": "text/event-stream", "Authorization": f"Bearer {TOKEN}"}
        self.connection.request("GET", f"/{server}/sse", headers=headers)
        self.stream = self.connection.getresponse()
        assert self.stream.status == http.client.OK, self.stream.read()
        url = urlsplit(self.event())
        self.path = f"{url.path}?{url.query}"
        if initialize:
            assert "result" in self.call("initialize", INITIALIZE, id=0)
            self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def event(self) -> str:
        """Return the data of the next event of the stream."""
        while line := self.stream.readline():
            if line.startswith(b"data: "):
                return line[6:].rstrip(b"\n").decode()
        raise AssertionError("the stream has ended")

    def send(self, message: object) -> Answer:
        """POST a message; return the answer to the POST."""
        return post(self.gateway, self.path, json.dumps(message).encode())

    def call(self, method: str, params: object = None, id: object = 1) -> Any:
        """Send a request and return its response, which comes on the stream."""
        answer = self.send({"jsonrpc": "2.0", "id": id, "method": method, "params": params or {}})
        assert answer.status == http.client.ACCEPTED, (answer.status, answer.body)
        return self.response(id)

    def response(self, id: object = 1) -> Any:
        """Return the response to a request; what comes before it is thrown away."""
        while True:
            message = json.loads(self.event())
            if message.get("id") == id and "method" not in message:
                return message

    def end(self) -> None:
        """Close the stream, which ends the session."""
        self.stream.close()
        self.connection.close()


def conversations(gateway: Gateway, server: str) -> Iterator[Session | SseSession]:
    """Begin a session with a server over each transport, the second when the first has been used."""
    yield gateway.session(server)
    yield SseSession(gateway, server)


def tool(session: Session | SseSession, name: str, **arguments: Any) -> Any:
    """Call a tool and return the response."""
    return session.call("tools/call", {"name": name, "arguments": arguments})


def text_of(response: Any) -> str:
    """Return the text of a tool's result."""
    return str(response["result"]["content"][0]["text"])


def forget_peak(pid: int) -> None:
    """Let the peak of a process's resident memory begin anew."""
    (Path("/proc") / str(pid) / "clear_refs").write_text("5", encoding="ascii")


def peak_bytes(pid: int) -> int:
    """Return the most resident memory that a process has had, in bytes."""
    status = (Path("/proc") / str(pid) / "status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def written_bytes(pid: int) -> int:
    """Return how much a process has written in all, in bytes."""
    counts = (Path("/proc") / str(pid) / "io").read_text(encoding="ascii")
    return int(counts.split("wchar:")[1].split()[0])


def standstill(pid: int, seconds: float = 0.3) -> int:
    """Wait until a process writes nothing any more; return how much it has written."""
    deadline = time.monotonic() + 20
    before = -1
    while (now := written_bytes(pid)) != before:
        assert time.monotonic() < deadline, "the process goes on writing"
        before = now
        time.sleep(seconds)
    return now
