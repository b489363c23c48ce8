"""A server that runs as child processes: one per session, one per user or one for all."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final, TypeVar

from twisted.internet.interfaces import IReactorTime

from mcpfront import __version__
from mcpfront.authn.base import Principal
from mcpfront.errors import McpfrontError, Unavailable
from mcpfront.protocol import mcp
from mcpfront.upstream.budget import Seats, SpawnBudget
from mcpfront.upstream.chores import Chores
from mcpfront.upstream.connection import StdioConnection
from mcpfront.upstream.hub import Hub
from mcpfront.upstream.hubs import SessionHub, SharedHub, UserHub
from mcpfront.upstream.launch import needs_user_token
from mcpfront.upstream.process import SignalGroup
from mcpfront.upstream.runner import Owner, Runner
from mcpfront.upstream.settings import MessageLimits, StdioSettings
from mcpfront.upstream.spares import Profile, SparePool
from mcpfront.upstream.spawner import ProcessReactor, Spawner
from mcpfront.upstream.stragglers import Stragglers

H = TypeVar("H", bound=Hub)

DEFAULT_TIMEOUT: Final = 600.0
CLIENT_INFO: Final = b'{"name":"mcpfront","version":"%s"}' % __version__.encode()
OWN_PARAMS: Final = Profile(b'"%s"' % mcp.LATEST.encode(), b"{}").params(CLIENT_INFO)
"""With what the gateway initializes a process that is no client's."""


class StdioUpstream:
    """A configured stdio server; see :class:`mcpfront.upstream.base.Upstream`.

    Args:
        settings: the configured server.
        clock: measures every wait.
        reactor: starts processes.
        environ: the gateway's environment, of which children see the allowed names.
        log: a logger.
        limits: bounds of what a process may send.
        budget: how many processes all servers may have together.
        stragglers: ends what processes of all servers leave behind.
        max_per_user: how many one user may have of this server; 0 is unlimited.
        signal_group: sends a signal to a process group.
    """

    def __init__(
        self,
        settings: StdioSettings,
        clock: IReactorTime,
        reactor: ProcessReactor,
        environ: Mapping[str, str],
        log: Any,
        limits: MessageLimits,
        budget: SpawnBudget,
        stragglers: Stragglers,
        max_per_user: int = 10,
        signal_group: SignalGroup = os.killpg,
    ) -> None:
        self.name = settings.name
        self._settings = settings
        self._clock = clock
        self._log = log.bind(server=settings.name)
        self._stragglers = stragglers
        self._spawner = Spawner(
            settings, environ, reactor, clock, self._log, limits, stragglers, signal_group
        )
        self._seats = Seats(settings.name, budget, max_per_user)
        self._chores = Chores(self._log)
        self._hubs: set[Hub] = set()
        self._users: dict[tuple[str, str], UserHub] = {}
        self._everybody: SharedHub | None = None
        self._closed = False
        profile = Profile.of(OWN_PARAMS)
        self._pool = SparePool(settings.warm, profile, self._make_spare, self._retire, clock, self._log)

    def start(self) -> None:
        """Begin to keep warm spares, if any are configured; for ``shared``, start the one process."""
        if not self._settings.warm or needs_user_token(self._settings):
            return
        if self._settings.isolation == "shared":
            self._chores.run(self._warm_up(self._everybodys()))
        else:
            self._pool.start()

    async def open(self, principal: Principal, params: bytes) -> StdioConnection:
        """Start a conversation.

        Args:
            principal: for whom.
            params: the raw JSON of the client's ``initialize`` params.

        Raises:
            HandshakeFailed: the server did not start or did not complete ``initialize`` in time.
            TooManyRequests: the caller may start no more processes.
        """
        if self._closed:
            raise Unavailable(f"the server '{self.name}' is being shut down")
        hub = self._hub_for(principal, params)
        try:
            if not hub.runner.result:
                await hub.runner.peer()
        except Exception:
            self._abandon(hub)
            raise
        return hub.join(params)

    async def close(self) -> None:
        """End every process of this server and what they have started; waits until none is left."""
        self._closed = True
        self._pool.stop()
        for hub in list(self._hubs):
            self._retire(hub, hurry=True)
        await self._chores.done()
        await self._stragglers.settled()

    # Inside

    def _hub_for(self, principal: Principal, params: bytes) -> Hub:
        if self._settings.isolation == "shared":
            return self._everybodys()
        if self._settings.isolation == "user" and principal.identified:
            return self._users_own(principal, params)
        return self._new(SessionHub, params, principal)

    def _everybodys(self) -> SharedHub:
        if self._everybody is None:
            self._everybody = self._make(SharedHub, OWN_PARAMS, None)
        return self._everybody

    def _users_own(self, principal: Principal, params: bytes) -> UserHub:
        hub = self._users.get(principal.key)
        if hub is None:
            hub = self._users[principal.key] = self._new(UserHub, params, principal)
        return hub

    def _new(self, kind: type[H], params: bytes, principal: Principal) -> H:
        """Take a spare, or else make a process."""
        spare = self._pool.offer(params)
        if not isinstance(spare, kind):
            return self._make(kind, params, principal)
        spare.seat.hand_to(principal)
        spare.runner.params = params
        self._pool.taken(spare)
        return spare

    def _make_spare(self, profile: Profile) -> Hub:
        kind = UserHub if self._settings.isolation == "user" else SessionHub
        hub = self._make(kind, profile.params(CLIENT_INFO), None)
        hub.spare = True
        return hub

    async def _warm_up(self, hub: Hub) -> None:
        try:
            await hub.runner.peer()
        except McpfrontError as error:
            self._log.warning("process not started ahead", reason=error.message)

    def _make(self, kind: type[H], params: bytes, principal: Principal | None) -> H:
        seat = self._seats.reserve(principal)
        timeout = self._settings.timeout or DEFAULT_TIMEOUT
        hub = kind(self._make_runner, params, seat, timeout, self._clock, self._log, self._retire)
        self._hubs.add(hub)
        return hub

    def _make_runner(self, owner: Owner, params: bytes) -> Runner:
        return Runner(
            self.name, self._spawner, owner, params, self._settings.handshake_timeout, self._clock, self._log
        )

    def _abandon(self, hub: Hub) -> None:
        """End a process that nobody got, unless somebody else still waits for it."""
        if hub is not self._everybody and not hub.members and not hub.runner.waiting:
            self._retire(hub)

    def _retire(self, hub: Hub, hurry: bool = False) -> None:
        self._pool.lost(hub)
        for key, kept in list(self._users.items()):
            if kept is hub:
                del self._users[key]
        self._chores.run(self._end(hub, hurry))

    async def _end(self, hub: Hub, hurry: bool) -> None:
        await hub.close(hurry)
        self._hubs.discard(hub)
