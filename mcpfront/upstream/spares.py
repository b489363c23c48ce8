"""Spare processes: started and initialized ahead, so that a session begins without a wait."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from mcpfront.errors import McpfrontError
from mcpfront.upstream.backoff import Backoff
from mcpfront.upstream.hub import Hub
from mcpfront.upstream.parsing import member_at, same

PROFILE_REST: Final = 5.0
"""Seconds between two changes of what spares are initialized with, so that they serve somebody."""


@dataclass(frozen=True, slots=True)
class Profile:
    """In what ``initialize`` params must agree for a spare to serve; raw JSON.

    Attributes:
        version: the ``protocolVersion``.
        capabilities: the client's capabilities.
    """

    version: bytes
    capabilities: bytes

    @classmethod
    def of(cls, params: bytes) -> Profile:
        """Return the profile of a client."""
        return cls(member_at(params, "protocolVersion") or b'""', member_at(params, "capabilities") or b"{}")

    def suits(self, other: Profile) -> bool:
        """Tell whether a process initialized with one serves a client with the other."""
        return same(self.version, other.version) and same(self.capabilities, other.capabilities)

    def params(self, client_info: bytes) -> bytes:
        """Return ``initialize`` params (raw JSON)."""
        return b'{"protocolVersion":%s,"capabilities":%s,"clientInfo":%s}' % (
            self.version,
            self.capabilities,
            client_info,
        )


class SparePool:
    """Keeps a number of spares.

    Args:
        size: how many.
        profile: what they are initialized with until a client asks for something else.
        make: makes a process that is not started yet, from its profile.
        retire: ends a process.
        clock: measures the waits.
        log: a logger bound to the server.
    """

    def __init__(
        self,
        size: int,
        profile: Profile,
        make: Callable[[Profile], Hub],
        retire: Callable[[Hub], None],
        clock: IReactorTime,
        log: Any,
    ) -> None:
        self._size = size
        self._profile = self._wanted = profile
        self._make = make
        self._retire = retire
        self._clock = clock
        self._log = log
        self._backoff = Backoff()
        self._ready: list[Hub] = []
        self._starting: set[Hub] = set()
        self._changed = -inf
        self._change: IDelayedCall | None = None
        self._refill: IDelayedCall | None = None
        self._running = False

    def start(self) -> None:
        """Start the spares."""
        self._running = True
        self._fill()

    def stop(self) -> None:
        """Start no more; those that wait are ended by their owner."""
        self._running = False
        for timer in (self._change, self._refill):
            if timer is not None and timer.active():
                timer.cancel()

    def offer(self, params: bytes) -> Hub | None:
        """Return a spare that serves a client with these ``initialize`` params, None when there is none."""
        profile = Profile.of(params)
        if not self._profile.suits(profile):
            self._turn_to(profile)
            return None
        return self._ready[0] if self._ready else None

    def taken(self, hub: Hub) -> None:
        """Note that a spare found its session; another one is started."""
        hub.spare = False
        self._ready.remove(hub)
        self._fill()

    def lost(self, hub: Hub) -> None:
        """Note that a spare has died; another one is started, later and later."""
        if hub in self._ready:
            self._ready.remove(hub)
            self._fail()

    # Inside

    def _fill(self) -> None:
        waits = self._refill is not None and self._refill.active()
        while self._running and not waits and len(self._ready) + len(self._starting) < self._size:
            try:
                hub = self._make(self._profile)
            except McpfrontError as error:
                self._log.warning("spare process not started", reason=error.message)
                self._fail()
                return
            self._start(hub)
            waits = self._refill is not None and self._refill.active()

    def _start(self, hub: Hub) -> None:
        self._starting.add(hub)
        profile = self._profile
        starting = Deferred.fromCoroutine(hub.runner.peer())
        starting.addCallbacks(lambda _: self._started(hub, profile), lambda f: self._failed(f, hub))

    def _started(self, hub: Hub, profile: Profile) -> None:
        self._starting.discard(hub)
        if self._running and profile is self._profile:
            self._ready.append(hub)
        else:
            self._retire(hub)
            self._fill()

    def _failed(self, failure: Failure, hub: Hub) -> None:
        self._starting.discard(hub)
        self._retire(hub)
        if not failure.check(McpfrontError):
            self._log.error("a spare process failed", traceback=failure.getTraceback())
        self._fail()

    def _fail(self) -> None:
        if not self._running or (self._refill is not None and self._refill.active()):
            return
        now = self._clock.seconds()
        self._backoff.failed(now)
        self._refill = self._clock.callLater(self._backoff.delay(now), self._fill)

    def _turn_to(self, profile: Profile) -> None:
        self._wanted = profile
        if not self._running or (self._change is not None and self._change.active()):
            return
        rest = max(0.0, self._changed + PROFILE_REST - self._clock.seconds())
        self._change = self._clock.callLater(rest, self._reprofile)

    def _reprofile(self) -> None:
        self._profile = self._wanted
        self._changed = self._clock.seconds()
        old, self._ready = self._ready, []
        for hub in old:
            self._retire(hub)
        self._fill()
