"""What clients make the gateway keep: bodies until they are answered, answers until they are read."""

from __future__ import annotations

from typing import Protocol

from mcpfront.telemetry.logging import get_logger

_log = get_logger("http")


class Reader(Protocol):
    """A connection whose client has an answer to read."""

    def forceAbortClient(self) -> None:
        """Drop the connection at once."""


class Memory:
    """The bytes of all connections together; each has bounds of its own, but there may be many of them.

    Args:
        bodies: bytes of bodies that may be kept.
        answers: bytes of answers in one piece that may wait for their readers.

    Attributes:
        kept: bytes of bodies that are kept.
        unread: bytes of answers that wait.
    """

    def __init__(self, bodies: int, answers: int) -> None:
        self._bodies = bodies
        self._answers = answers
        self._unread: dict[Reader, int] = {}
        self.kept = 0
        self.unread = 0

    def take(self, size: int) -> bool:
        """Keep a part of a body; tell whether there is room."""
        if self.kept + size > self._bodies:
            return False
        self.kept += size
        return True

    def give(self, size: int) -> None:
        """Keep a part of a body no longer."""
        self.kept -= size

    def waits(self, reader: Reader, size: int) -> None:
        """Note an answer that its client has yet to read; over the bound the oldest of them are dropped."""
        self._unread[reader] = self._unread.pop(reader, 0) + size
        self.unread += size
        while self.unread > self._answers and len(self._unread) > 1:
            oldest = next(iter(self._unread))
            size = self._unread.pop(oldest)
            self.unread -= size
            _log.warning("connection dropped", reason="too many answers wait to be read", bytes=size)
            oldest.forceAbortClient()

    def caught_up(self, reader: Reader) -> None:
        """Note that a client has read everything, or has gone."""
        self.unread -= self._unread.pop(reader, 0)
