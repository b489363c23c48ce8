"""The seam between an HTTP engine and the gateway: one request, and the means to answer it.

Handlers see only this, so they are tested without sockets and the engine behind it can change.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

HeaderList = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end of the connection.

    Attributes:
        host: the address as text.
        port: the port, 0 where there is none.
        secure: whether the connection is TLS.
    """

    host: str
    port: int
    secure: bool = False


class StreamListener(Protocol):
    """What a stream tells its writer. Called on the reactor thread, never from inside ``Stream.write``."""

    def stream_paused(self) -> None:
        """Tell that the client reads slower than it is written to: hold back what can be held."""

    def stream_resumed(self) -> None:
        """Tell that the client has caught up."""

    def stream_gone(self) -> None:
        """Tell that the client left before ``finish``; writes are ignored from here on."""


class Stream(Protocol):
    """An answer that is written bit by bit."""

    def write(self, data: bytes) -> None:
        """Send bytes; ignored after the client has gone or after ``finish``."""

    def finish(self) -> None:
        """End the answer in order."""

    def abort(self) -> None:
        """Drop the connection at once, unsent bytes included."""


class Exchange(Protocol):
    """One HTTP request and the means to answer it, exactly once, by ``respond`` or ``stream``.

    Attributes:
        id: names the request in the log and, as ``X-Request-Id``, in the answer.
        method: as sent, upper case.
        path: the raw path, percent-encoding kept, without the query.
        query: the raw query, empty when there is none.
        body: the whole body; the engine has held it to its limit while it arrived.
        peer: who is at the other end.
        gone: whether the client has left; answers are then ignored.
        started: the reactor's time in seconds at which the head was complete.
        status: the status that was answered, 0 before.
        sent: bytes of body that were answered so far.
    """

    id: str
    method: bytes
    path: bytes
    query: bytes
    body: bytes
    peer: Peer
    gone: bool
    started: float
    status: int
    sent: int

    def header(self, name: bytes) -> bytes | None:
        """Return the first value of a header (name in lower case), None when it is absent."""

    def headers(self, name: bytes) -> list[bytes]:
        """Return all values of a header (name in lower case)."""

    def add_header(self, name: bytes, value: bytes) -> None:
        """Add a header that the answer, whichever it is, will carry."""

    def respond(self, status: int, headers: HeaderList, body: bytes) -> None:
        """Answer in one piece; the engine adds Content-Length."""

    def stream(self, status: int, headers: HeaderList, listener: StreamListener) -> Stream:
        """Begin an answer that is written bit by bit; the head is sent at once."""

    def when_gone(self, callback: Callable[[], object]) -> None:
        """Call back once if the client leaves before the answer is complete; at once if it has left."""
