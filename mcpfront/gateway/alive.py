"""One timer that keeps every open stream and every long call alive."""

from __future__ import annotations

from typing import Final, Protocol

from twisted.internet.defer import Deferred

from mcpfront.gateway.streams import EventStream
from mcpfront.telemetry.logging import get_logger

INTERVAL: Final = 15.0
"""Seconds between two comments on a stream, below the idle limits of common proxies."""


class Living(Protocol):
    """What wants a sign of life now and then."""

    def keep_alive(self) -> None:
        """Give a sign of life."""


class KeepAlive:
    """Everything that wants a sign of life; ``tick`` is called every ``INTERVAL`` seconds."""

    def __init__(self) -> None:
        self._log = get_logger("gateway")
        self._living: set[Living] = set()

    def __len__(self) -> int:
        return len(self._living)

    def add(self, living: Living) -> None:
        """Begin to keep something alive."""
        self._living.add(living)

    def discard(self, living: Living) -> None:
        """Stop it."""
        self._living.discard(living)

    def tick(self) -> None:
        """Give every sign of life once; what fails at it is logged and keeps nobody else from living."""
        for living in list(self._living):
            try:
                living.keep_alive()
            except Exception:  # noqa: BLE001 - logged with its traceback
                self._log.exception("a sign of life failed")

    async def until(self, stream: EventStream, ended: Deferred[None]) -> None:
        """Keep a stream alive until its answer has ended."""
        self.add(stream)
        try:
            await ended
        finally:
            self.discard(stream)
