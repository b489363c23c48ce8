"""Work that nobody waits for right away but that is waited for in the end."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.python.failure import Failure


class Chores:
    """Owns coroutines that run on their own; a failure is logged.

    Args:
        log: takes what fails.
    """

    def __init__(self, log: Any) -> None:
        self._log = log
        self._open: set[Deferred[None]] = set()

    def run(self, work: Coroutine[Deferred[Any], Any, None]) -> None:
        """Run a coroutine."""
        running = Deferred.fromCoroutine(work)
        running.addErrback(self._failed)
        self._open.add(running)
        running.addCallback(lambda _: self._open.discard(running))

    async def done(self) -> None:
        """Wait until nothing runs."""
        while self._open:
            waiters = [_follow(running) for running in self._open]
            await DeferredList(waiters)

    def _failed(self, failure: Failure) -> None:
        self._log.error("work in the background failed", traceback=failure.getTraceback())


def _follow(running: Deferred[None]) -> Deferred[None]:
    waiter: Deferred[None] = Deferred()
    running.addCallback(waiter.callback)
    return waiter
