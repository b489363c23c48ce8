"""Bounds on how much one server may put into the log."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime


class Throttle:
    """Lets some events through in each second and counts the others.

    Args:
        clock: measures the seconds.
        log: takes one line that tells how many were left out.
        event: what that line says.
        per_second: how many get through.
    """

    def __init__(self, clock: IReactorTime, log: Any, event: str, per_second: int) -> None:
        self._clock = clock
        self._log = log
        self._event = event
        self._per_second = per_second
        self._used = 0
        self._suppressed = 0
        self._timer: IDelayedCall | None = None

    @property
    def full(self) -> bool:
        """Whether this second's share is used up."""
        return self._used >= self._per_second

    def allow(self) -> bool:
        """Count one event; return whether it may be told."""
        if self._timer is None:
            self._timer = self._clock.callLater(1.0, self._turn)
        if self.full:
            self._suppressed += 1
            return False
        self._used += 1
        return True

    def skip(self, count: int) -> None:
        """Count events that were not even looked at."""
        self._suppressed += count

    def close(self) -> None:
        """Tell what is left to tell and hold no timer any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._tell()

    def _turn(self) -> None:
        self._timer = None
        self._tell()
        self._used = 0

    def _tell(self) -> None:
        count, self._suppressed = self._suppressed, 0
        if count:
            self._log.warning(self._event, suppressed=count)
