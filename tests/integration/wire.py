"""A connection without any client library: it can be read slowly and dropped at any point."""

from __future__ import annotations

import json
import socket

from tests.integration.harness import INITIALIZE, TOKEN, Gateway


class Wire:
    """One TCP connection to a gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.socket = socket.create_connection(("127.0.0.1", gateway.port), 30)

    def send(
        self, method: str, path: str, body: bytes = b"", accept: str = "text/event-stream", more: str = ""
    ) -> None:
        """Send one request; ``more`` are further header lines, each with its line end."""
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.gateway.port}\r\n"
            f"Authorization: Bearer {TOKEN}\r\nAccept: {accept}\r\n{more}"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self.socket.sendall(head.encode() + body)

    def read_until(self, text: bytes) -> bytes:
        """Read until a text has come."""
        data = b""
        while text not in data:
            more = self.socket.recv(65536)
            assert more, data
            data += more
        return data

    def read_to_end(self) -> bytes:
        """Read until the gateway closes."""
        data = b""
        while more := self.socket.recv(65536):
            data += more
        return data

    def drop(self) -> None:
        """Reset the connection."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()


def open_sse(gateway: Gateway, server: str) -> tuple[Wire, str]:
    """Open an HTTP+SSE stream; return it and the path to POST to."""
    stream = Wire(gateway)
    stream.send("GET", f"/{server}/sse")
    data = stream.read_until(b"sessionId=")
    while not data.endswith(b"\n\n") and b"\n\n" not in data.split(b"sessionId=")[1]:
        data += stream.socket.recv(65536)
    path = data.split(b"data: ")[1].split(b"\n")[0].decode().removeprefix(gateway.url)
    return stream, path


def initialize(id: int = 0) -> bytes:
    """Write an ``initialize`` request."""
    return json.dumps({"jsonrpc": "2.0", "id": id, "method": "initialize", "params": INITIALIZE}).encode()
