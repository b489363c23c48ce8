"""One HTTP answer that carries an event stream, with what waits while its client reads slowly."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from twisted.internet.defer import Deferred

from mcpfront.listen.exchange import Exchange, HeaderList, Stream
from mcpfront.protocol.framing import sse_comment

STREAM_HEADERS: Final[HeaderList] = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
]
KEEP_ALIVE: Final = sse_comment(b"keepalive")
STALL: Final = 60.0
"""Seconds after which a client that reads nothing is cut off."""


class Holder(Protocol):
    """What an attachment tells the stream it carries."""

    def attachment_full(self) -> None:
        """Tell that what waits is over the bound."""

    def attachment_free(self) -> None:
        """Tell that it is no longer so."""

    def attachment_gone(self, attachment: Attachment) -> None:
        """Tell that the answer has ended, by either side."""


class Attachment:
    """A stream's present client.

    Args:
        holder: the stream.
        limit: bytes that may wait before the holder is told.
        clock: the time in seconds.

    Attributes:
        ended: fires when the answer has ended, by either side.
    """

    __slots__ = (
        "_backlog",
        "_clock",
        "_finishing",
        "_full",
        "_holder",
        "_limit",
        "_out",
        "_paused_at",
        "_waiting",
        "ended",
    )

    def __init__(self, holder: Holder, limit: int, clock: Callable[[], float]) -> None:
        self.ended: Deferred[None] = Deferred()
        self._holder = holder
        self._limit = limit
        self._clock = clock
        self._out: Stream | None = None
        self._backlog: deque[bytes] | None = None
        self._waiting = 0
        self._full = False
        self._finishing = False
        self._paused_at: float | None = None

    def begin(self, exchange: Exchange, headers: HeaderList) -> None:
        """Send the head of the answer."""
        self._out = exchange.stream(200, [*STREAM_HEADERS, *headers], self)

    def write(self, frame: bytes) -> None:
        """Send a frame, or let it wait while the client is slow."""
        if self._out is None or self._finishing:
            return
        if self._paused_at is None:
            self._out.write(frame)
            return
        if self._backlog is None:
            self._backlog = deque()
        self._backlog.append(frame)
        self._waiting += len(frame)
        if self._waiting > self._limit and not self._full:
            self._full = True
            self._holder.attachment_full()

    def keep_alive(self) -> None:
        """Send a comment; cut off a client that has read nothing for ``STALL`` seconds."""
        if self._paused_at is None:
            self.write(KEEP_ALIVE)
        elif self._clock() - self._paused_at > STALL:
            self.abort()

    def finish(self) -> None:
        """End the answer once everything is sent."""
        self._finishing = True
        if self._paused_at is None and self._out is not None:
            self._out.finish()
            self._gone()

    def abort(self) -> None:
        """Drop the client at once."""
        if self._out is not None:
            self._out.abort()
            self._gone()

    def stream_paused(self) -> None:
        """Hold frames back from now on."""
        self._paused_at = self._clock()

    def stream_resumed(self) -> None:
        """Send what waited."""
        self._paused_at = None
        waiting = self._take_backlog()
        if self._out is not None and waiting:
            self._out.write(b"".join(waiting))
        if self._finishing:
            self.finish()

    def stream_gone(self) -> None:
        """Forget the client."""
        if self._out is not None:
            self._gone()

    def _gone(self) -> None:
        self._out = None
        self._take_backlog()
        self._holder.attachment_gone(self)
        self.ended.callback(None)

    def _take_backlog(self) -> deque[bytes] | None:
        waiting, self._backlog, self._waiting = self._backlog, None, 0
        if self._full:
            self._full = False
            self._holder.attachment_free()
        return waiting
