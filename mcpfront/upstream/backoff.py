"""How long to wait before a server that keeps failing is started again."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

DELAYS: Final = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Seconds after the first failure, the second, and so on; the last one stays."""
STABLE: Final = 60.0
"""Seconds of life after which earlier failures are forgotten."""


class Backoff:
    """Counts failures and tells the wait.

    Args:
        jitter: a number from 0 to 1, so that many gateways do not start their servers at once.
    """

    def __init__(self, jitter: Callable[[], float] = random.random) -> None:
        self.failures = 0
        self._jitter = jitter
        self._ready = 0.0

    def failed(self, now: float, lived: float = 0.0) -> None:
        """Count a failure at ``now`` of a process that had lived for ``lived`` seconds."""
        self.failures = 1 if lived >= STABLE else self.failures + 1
        delay = DELAYS[min(self.failures, len(DELAYS)) - 1]
        self._ready = now + delay * (0.8 + 0.4 * self._jitter())

    def delay(self, now: float) -> float:
        """Return the seconds to wait."""
        return max(0.0, self._ready - now)
