"""The two pipes of a child that need bounds of their own: what it does not read, and what it logs."""

from __future__ import annotations

from collections import deque
from typing import Any, Final, Protocol

from twisted.internet.interfaces import IPushProducer, IReactorTime
from zope.interface import implementer

from mcpfront.errors import UpstreamError
from mcpfront.upstream.throttle import Throttle

MAX_LOG_LINE: Final = 2048
LOG_LINES_PER_SECOND: Final = 100


class Sink(Protocol):
    """The writing side of a process transport."""

    def write(self, data: bytes) -> None:
        """Queue bytes for the child."""

    def registerProducer(self, producer: IPushProducer, streaming: bool) -> None:  # noqa: N802
        """Say whom to pause while the child does not read."""

    def unregisterProducer(self) -> None:  # noqa: N802
        """Say that nobody is to be paused any more."""


@implementer(IPushProducer)
class StdinQueue:
    """Writes to a child and keeps a bounded queue while it does not read.

    Args:
        name: the server's name, for errors.
        sink: the process transport.
        limit: bytes that may wait besides what the transport holds.
    """

    def __init__(self, name: str, sink: Sink, limit: int) -> None:
        self._name = name
        self._sink = sink
        self._limit = limit
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._paused = False
        self._closed = False
        sink.registerProducer(self, streaming=True)

    def write(self, data: bytes) -> None:
        """Write, or queue while the child does not read.

        Raises:
            UpstreamError: the queue is full.
        """
        if self._closed:
            return
        if not self._paused:
            self._sink.write(data)
            return
        if self._size + len(data) > self._limit:
            raise UpstreamError(
                f"the server '{self._name}' does not read its input; it takes no more messages"
            )
        self._waiting.append(data)
        self._size += len(data)

    def pauseProducing(self) -> None:
        """Hold messages back: the transport's buffer is full."""
        self._paused = True

    def resumeProducing(self) -> None:
        """Write on: the transport's buffer is empty."""
        self._paused = False
        while self._waiting and not self._paused:
            data = self._waiting.popleft()
            self._size -= len(data)
            self._sink.write(data)

    def close(self) -> None:
        """Forget what waits, so that the pipe can be closed once the transport's own buffer is written."""
        if not self._closed:
            self.stopProducing()
            self._sink.unregisterProducer()

    def stopProducing(self) -> None:
        """Forget what waits: the pipe is closed."""
        self._closed = True
        self._waiting.clear()
        self._size = 0


class StderrDrain:
    """Cuts what a child prints as its log into lines for ours: bounded in length and in number.

    Args:
        clock: measures the rate.
        log: a logger bound to the server.
    """

    def __init__(self, clock: IReactorTime, log: Any) -> None:
        self._log = log
        self._rate = Throttle(clock, log, "stderr lines suppressed", LOG_LINES_PER_SECOND)
        self._line = b""
        self._cut = False

    def feed(self, data: bytes) -> None:
        """Take bytes and tell the lines they complete."""
        if self._rate.full:
            self._skip(data)
            return
        *complete, last = data.split(b"\n")
        for part in complete:
            self._keep(part)
            self._tell()
        self._keep(last)

    def close(self) -> None:
        """Tell the unfinished line and hold no timer any more."""
        self._tell()
        self._rate.close()

    def _skip(self, data: bytes) -> None:
        lines = data.count(b"\n")
        self._rate.skip(lines)
        if lines:
            self._line, self._cut = b"", False
            self._keep(data[data.rfind(b"\n") + 1 :])

    def _keep(self, part: bytes) -> None:
        room = MAX_LOG_LINE - len(self._line)
        self._cut = self._cut or len(part) > room
        self._line += part[:room]

    def _tell(self) -> None:
        line, cut = self._line.decode("utf-8", "replace").rstrip(), self._cut
        self._line, self._cut = b"", False
        if line and self._rate.allow():
            self._log.info("stderr", line=line, **({"cut": True} if cut else {}))
