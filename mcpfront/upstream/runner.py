"""Keeps one server process at hand: starts it, completes the handshake, and does both again when it died."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import Any, Final, Protocol

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from mcpfront.errors import HandshakeFailed, McpfrontError, Unavailable
from mcpfront.protocol.jsonrpc import Message
from mcpfront.upstream.backoff import Backoff
from mcpfront.upstream.peer import Deliver, Peer
from mcpfront.upstream.process import Child

CLOSED: Final = "the conversation with the server '{}' is closed"


class Spawn(Protocol):
    """Starts a process."""

    def __call__(self, deliver: Deliver, lost: Callable[[Peer], None]) -> Peer:
        """Start one.

        Raises:
            HandshakeFailed: it cannot be started.
        """


class Owner(Protocol):
    """Whose process it is."""

    def receive(self, peer: Peer, message: Message) -> None:
        """Take a request or a notification of the server."""

    def started(self, peer: Peer, again: bool) -> None:
        """Learn that a handshake is complete, for the first time or ``again``; nothing else was sent yet."""

    def died(self, peer: Peer) -> None:
        """Learn that the process can be used no longer."""


class Runner:
    """One process, and the next one when it has died.

    Args:
        name: the server's name.
        spawn: starts a process.
        owner: is told what happens.
        params: the raw params of ``initialize``.
        timeout: seconds for a start with its handshake.
        clock: measures the waits.
        log: a logger bound to the server.
        backoff: tells the waits between failures.

    Attributes:
        current: the process in use, None while there is none.
        result: the raw InitializeResult of the first handshake, empty before.
    """

    def __init__(
        self,
        name: str,
        spawn: Spawn,
        owner: Owner,
        params: bytes,
        timeout: float,
        clock: IReactorTime,
        log: Any,
        backoff: Backoff | None = None,
    ) -> None:
        self.params = params
        self.current: Peer | None = None
        self.result = b""
        self.stopped = False
        self._name = name
        self._spawn = spawn
        self._owner = owner
        self._timeout = timeout
        self._clock = clock
        self._log = log
        self._backoff = backoff or Backoff()
        self._since = 0.0
        self._children: set[Child] = set()
        self._busy = False
        self._pause: Deferred[None] | None = None
        self._waiters: list[Deferred[Peer]] = []

    @property
    def waiting(self) -> bool:
        """Whether somebody waits for a start."""
        return bool(self._waiters)

    async def peer(self) -> Peer:
        """Return the process, started if need be; concurrent callers share one start.

        Raises:
            HandshakeFailed: it does not start, or not in time.
            Unavailable: the runner was stopped.
        """
        if self.current is not None:
            return self.current
        if self.stopped:
            raise Unavailable(CLOSED.format(self._name))
        waiter = self._join()
        if not self._busy:
            self._busy = True
            Deferred.fromCoroutine(self._start()).addErrback(self._failed)
        return await waiter

    async def stop(self, hurry: bool = False) -> None:
        """End every process; waits until none is left."""
        self.stopped = True
        self.current = None
        self._release(Failure(Unavailable(CLOSED.format(self._name))))
        if self._pause is not None:
            self._pause.cancel()
        await DeferredList([child.stop(hurry) for child in list(self._children)])

    # Inside

    def _join(self) -> Deferred[Peer]:
        waiter: Deferred[Peer] = Deferred()
        self._waiters.append(waiter)
        waiter.addTimeout(self._timeout, self._clock, self._too_late)
        return waiter.addBoth(self._leave, waiter)

    def _leave(self, result: Any, waiter: Deferred[Peer]) -> Any:
        if waiter in self._waiters:
            self._waiters.remove(waiter)
        return result

    def _too_late(self, _: object, __: float) -> Peer:
        if self._pause is not None:
            raise self._held_back()
        raise HandshakeFailed(
            f"the server '{self._name}' did not complete its handshake within {self._timeout:g} seconds"
        )

    def _held_back(self) -> HandshakeFailed:
        seconds = ceil(self._backoff.delay(self._clock.seconds()))
        return HandshakeFailed(f"the server '{self._name}' keeps failing; it is started again in {seconds} s")

    async def _start(self) -> None:
        await self._hold_back()
        peer = self._spawn(self._owner.receive, self._lost)
        self._keep(peer.child)
        try:
            result = await peer.initialize(self.params, self._timeout)
            peer.require_usable()
        except Exception:
            peer.child.stop(hurry=True)
            raise
        self._begin(peer, result)

    async def _hold_back(self) -> None:
        delay = self._backoff.delay(self._clock.seconds())
        if delay > self._timeout:
            raise self._held_back()
        if delay > 0:
            self._pause = deferLater(self._clock, delay)
            try:
                await self._pause
            finally:
                self._pause = None

    def _begin(self, peer: Peer, result: bytes) -> None:
        again, self.result = bool(self.result), self.result or result
        self._busy = False
        self._since = self._clock.seconds()
        self.current = peer
        self._owner.started(peer, again)
        self._release(peer)

    def _failed(self, failure: Failure) -> None:
        self._busy = False
        if self.stopped:
            return
        self._backoff.failed(self._clock.seconds())
        error = failure.value
        if not isinstance(error, McpfrontError):
            self._log.error("the start failed", traceback=failure.getTraceback())
            error = HandshakeFailed(f"the server '{self._name}' could not be started")
        elif not isinstance(error, HandshakeFailed):
            error = HandshakeFailed(error.message)
        self._log.warning("handshake failed", reason=error.message)
        self._release(Failure(error))

    def _keep(self, child: Child) -> None:
        self._children.add(child)
        child.when_gone().addCallback(lambda _: self._children.discard(child))

    def _lost(self, peer: Peer) -> None:
        if self.current is not peer:
            return
        self.current = None
        now = self._clock.seconds()
        self._backoff.failed(now, now - self._since)
        self._owner.died(peer)

    def _release(self, outcome: Any) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter.callback(outcome)
