"""The table of sessions: who has which, how many, and when the unused ones end."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final, Protocol

from twisted.internet.defer import Deferred, DeferredList

from mcpfront.authn.base import Principal
from mcpfront.errors import NotFound, TooManyRequests, Unavailable
from mcpfront.gateway.server import Server
from mcpfront.gateway.session import Session
from mcpfront.gateway.streams import GOODBYE, Bounds

UNCLAIMED: Final = 60.0
"""Idle seconds after which a session ends whose client has never sent the id back."""
ID_BYTES: Final = 24

Key = tuple[str, str, str]


class SessionLimits(Protocol):
    """The ``proxy.sessions`` block of the config."""

    @property
    def timeout(self) -> float:
        """Idle seconds before a session ends."""

    @property
    def max_per_user(self) -> int:
        """Sessions of one caller at one server; 0 is unlimited."""

    @property
    def max_total(self) -> int:
        """Sessions of everybody."""


class SessionTable:
    """All sessions of the gateway.

    Args:
        clock: the time in seconds.
        limits: idle time and numbers.
        bounds: buffers of each session.
    """

    def __init__(self, clock: Callable[[], float], limits: SessionLimits, bounds: Bounds) -> None:
        self._clock = clock
        self._limits = limits
        self._bounds = bounds
        self._sessions: dict[str, Session] = {}
        self._by_owner: dict[Key, dict[str, Session]] = {}
        self._ending: set[Deferred[None]] = set()
        self.closed = False

    def __len__(self) -> int:
        return len(self._sessions)

    def create(self, principal: Principal, server: Server, *, legacy: bool = False) -> Session:
        """Make a session; it counts from here on, before anything is awaited.

        Args:
            principal: whose it is.
            server: whom it talks to.
            legacy: whether it speaks HTTP+SSE; the other transport's URLs do not know it then.

        Raises:
            TooManyRequests: the caller has as many sessions of this server as it may have.
            Unavailable: the gateway is full or shutting down.
        """
        if self.closed:
            raise Unavailable("the gateway is shutting down", headers=((b"retry-after", b"5"),))
        owned = self._by_owner.get(_key(principal, server), {})
        most = self._limits.max_per_user
        if principal.identified and most and len(owned) >= most:
            raise TooManyRequests(
                _too_many(server.name, most, self._limits.timeout), headers=((b"retry-after", b"30"),)
            )
        if len(self._sessions) >= self._limits.max_total:
            text = f"the gateway has {self._limits.max_total} sessions (sessions.maxTotal); try again later"
            raise Unavailable(text, headers=((b"retry-after", b"30"),))
        session = Session(
            secrets.token_urlsafe(ID_BYTES),
            principal,
            server,
            self._clock,
            self._bounds,
            self._forget,
            legacy,
        )
        self._sessions[session.id] = session
        self._by_owner.setdefault(_key(principal, server), {})[session.id] = session
        return session

    def find(self, id: bytes, principal: Principal, server: Server, *, legacy: bool = False) -> Session:
        """Return a session of this caller at this server and transport.

        Raises:
            NotFound: there is none of that id, or it is another caller's or another server's, which looks
            the same.
        """
        session = self._sessions.get(id.decode("latin-1"))
        if (
            session is None
            or session.server is not server
            or session.legacy is not legacy
            or _key(session.principal, server) != _key(principal, server)
        ):
            raise NotFound("the session is unknown or has ended; send initialize to start a new one")
        session.echoed = True
        return session

    def unclaimed(self, principal: Principal, server: Server) -> Session | None:
        """Return the session of a client that sends no session id: the newest whose id never came back.

        Callers whom nobody has identified share nothing, so they have none.
        """
        if principal.identified:
            owned = self._by_owner.get(_key(principal, server), {})
            for session in reversed(owned.values()):
                if not session.echoed:
                    return session
        return None

    def end(self, session: Session, farewell: bytes = b"") -> Deferred[None]:
        """End a session and own what is left to do of it."""
        done = session.close(farewell)
        if not done.called:
            self._ending.add(done)
            done.addBoth(self._ended, done)
        return done

    def sweep(self) -> None:
        """End the sessions that nobody used for their time; running calls and open streams count as use."""
        now = self._clock()
        for session in list(self._sessions.values()):
            patience = self._limits.timeout if session.echoed else min(UNCLAIMED, self._limits.timeout)
            if not session.busy and now - session.last_used > patience:
                self.end(session)

    async def close(self) -> None:
        """End every session and wait until the last is gone."""
        self.closed = True
        for session in list(self._sessions.values()):
            self.end(session, GOODBYE)
        if self._ending:
            await DeferredList(list(self._ending), consumeErrors=True)

    def _ended(self, result: object, done: Deferred[None]) -> object:
        self._ending.discard(done)
        return result

    def _forget(self, session: Session) -> None:
        self._sessions.pop(session.id, None)
        key = _key(session.principal, session.server)
        owned = self._by_owner.get(key)
        if owned is not None:
            owned.pop(session.id, None)
            if not owned:
                del self._by_owner[key]


def _key(principal: Principal, server: Server) -> Key:
    return *principal.key, server.name


def _too_many(name: str, most: int, timeout: float) -> str:
    return (
        f"you have {most} sessions of {name!r} open, which is the limit; end one (HTTP DELETE) or wait, "
        f"an unused session ends after {timeout:.0f} s"
    )
