"""From start to stop: what begins in which order, and how the gateway drains within its time.

The stop is sequential: no new connections, calls finish within the drain time, streams end, children end, the
rest is dropped. A ``MultiService`` would stop everything at once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from mcpfront.gateway.alive import INTERVAL, KeepAlive
from mcpfront.gateway.endpoint import Endpoint
from mcpfront.gateway.sessions import SessionTable
from mcpfront.upstream.base import Upstream

LAST_WORDS: Final = 0.2
"""Seconds in which what was written last may still leave."""


class Listener(Protocol):
    """The door."""

    def privilegedStartService(self) -> None:
        """Open it while the process may still use any port."""

    def startService(self) -> None:
        """Open it, unless that was done before."""

    def stop_accepting(self) -> Deferred[None]:
        """Take no more connections."""

    def close_idle(self) -> None:
        """End the connections that wait for a request, and let every answer be the last of its connection."""

    def close_all(self) -> None:
        """Drop every connection."""


class Signs(Protocol):
    """Who is told of the gateway's state: health, service manager, log."""

    def ready(self) -> None:
        """Tell that requests are served."""

    def stopping(self) -> None:
        """Tell that no more are."""


class Lifetime(Service):
    """The gateway as one Twisted service.

    Args:
        clock: the reactor's time.
        listener: the door.
        endpoint: the data plane.
        table: the sessions.
        alive: what is kept alive.
        upstreams: every server.
        signs: who is told.
        drain: seconds in which calls in flight may end.
        sweep_every: seconds between two looks for unused sessions.
        log: for what goes wrong in a timer.
        abandon: ends the process when the door turns out later not to open.
    """

    def __init__(
        self,
        clock: IReactorTime,
        listener: Listener,
        endpoint: Endpoint,
        table: SessionTable,
        alive: KeepAlive,
        upstreams: list[Upstream],
        signs: Signs,
        drain: float,
        sweep_every: float,
        log: Any,
        abandon: Callable[[str], object],
    ) -> None:
        self._clock = clock
        self._listener = listener
        self._endpoint = endpoint
        self._table = table
        self._alive = alive
        self._upstreams = upstreams
        self._signs = signs
        self._drain = drain
        self._log = log
        self._abandon = abandon
        self._starting = False
        self._failure = ""
        self._stopped: Deferred[None] | None = None
        self._loops = [
            (self._loop("keep-alive", alive.tick), INTERVAL),
            (self._loop("sweep", table.sweep), min(sweep_every, INTERVAL)),
        ]

    def privilegedStartService(self) -> None:
        """Open the door while the process may still use any port.

        Raises:
            SystemExit: with one line that says why it cannot be opened.
        """
        super().privilegedStartService()
        self._open(self._listener.privilegedStartService)

    def startService(self) -> None:
        """Open the door, unless that was done before; once it is open, everything else begins.

        Raises:
            SystemExit: with one line that says why it cannot be opened.
        """
        super().startService()
        self._open(self._listener.startService)

    def stopService(self) -> Deferred[None]:
        """Close in order; fires when no child, timer or connection is left."""
        if self._stopped is None:
            super().stopService()
            self._stopped = Deferred.fromCoroutine(self._stop())
        return self._stopped

    def failed(self, message: str) -> None:
        """Take note that the door cannot be opened."""
        self._failure = message
        if not self._starting:
            self._abandon(message)

    def _open(self, open_door: Callable[[], None]) -> None:
        self._starting = True
        try:
            open_door()
        finally:
            self._starting = False
        if self._failure:
            raise SystemExit(f"mcpfront: {self._failure}")

    def opened(self) -> None:
        """Begin everything else: the door is open."""
        for loop, interval in self._loops:
            loop.start(interval, now=False)
        for upstream in self._upstreams:
            upstream.start()
        self._signs.ready()

    async def _stop(self) -> None:
        self._signs.stopping()
        await self._listener.stop_accepting()
        self._listener.close_idle()
        await self._within(self._drain, self._endpoint.drain())
        await self._end_servers()
        for loop, _ in self._loops:
            if loop.running:
                loop.stop()
        await self._within(LAST_WORDS, self._endpoint.drain())
        self._listener.close_all()

    async def _end_servers(self) -> None:
        """End sessions and servers together: a server in a hurry does not wait for a session's gentle end."""
        ends = [Deferred.fromCoroutine(self._table.close())]
        ends += [Deferred.fromCoroutine(upstream.close()) for upstream in self._upstreams]
        for succeeded, result in await DeferredList(ends, consumeErrors=True):
            if not succeeded:
                self._log.error("a server did not end in order", reason=str(result))

    async def _within(self, seconds: float, work: Awaitable[None]) -> None:
        """Wait for something, but no longer than a time."""
        waiting: Deferred[None] = Deferred.fromCoroutine(work)  # type: ignore[arg-type]
        over: Deferred[None] = Deferred()
        timer = self._clock.callLater(seconds, over.callback, None)
        try:
            await DeferredList([waiting, over], fireOnOneCallback=True, consumeErrors=True)
        finally:
            if timer.active():
                timer.cancel()

    def _loop(self, name: str, work: Callable[[], None]) -> LoopingCall:
        """Make a timer that outlives its errors: a ``LoopingCall`` would stop for ever at the first."""

        def step() -> None:
            try:
                work()
            except Exception:  # noqa: BLE001 - logged with its traceback; the next tick tries again
                self._log.exception("a timer failed", timer=name)

        loop = LoopingCall(step)
        loop.clock = self._clock
        return loop
