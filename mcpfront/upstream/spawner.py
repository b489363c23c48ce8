"""Starts the processes of one server."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import ProcessProtocol

from mcpfront.errors import HandshakeFailed
from mcpfront.upstream.launch import prepare
from mcpfront.upstream.peer import Deliver, Peer
from mcpfront.upstream.process import Child, SignalGroup
from mcpfront.upstream.settings import MessageLimits, StdioSettings
from mcpfront.upstream.stragglers import VARIABLE, Stragglers


class ProcessReactor(Protocol):
    """The one thing that is asked of the reactor besides its time."""

    def spawnProcess(  # noqa: N802
        self,
        protocol: ProcessProtocol,
        executable: str,
        args: list[str],
        /,
        env: dict[str, str],
    ) -> object:
        """Start a process."""


class Spawner:
    """Starts the processes of one server.

    Args:
        settings: the configured server.
        environ: the gateway's environment.
        reactor: starts processes.
        clock: measures their deadlines.
        log: a logger bound to the server.
        limits: bounds of what they may send.
        stragglers: ends what they leave behind.
        signal_group: sends a signal to a process group.
    """

    def __init__(
        self,
        settings: StdioSettings,
        environ: Mapping[str, str],
        reactor: ProcessReactor,
        clock: IReactorTime,
        log: Any,
        limits: MessageLimits,
        stragglers: Stragglers,
        signal_group: SignalGroup = os.killpg,
    ) -> None:
        self._settings = settings
        self._environ = environ
        self._reactor = reactor
        self._clock = clock
        self._log = log
        self._limits = limits
        self._stragglers = stragglers
        self._signal_group = signal_group

    def __call__(self, deliver: Deliver, lost: Callable[[Peer], None]) -> Peer:
        """Start a process.

        Args:
            deliver: takes what the server sends of its own accord.
            lost: is told when the process can be used no longer.

        Raises:
            HandshakeFailed: it cannot be started.
        """
        name = self._settings.name
        launch = prepare(self._settings, self._environ)
        mark = secrets.token_hex(16)
        # at the front, where a large environment cannot push it out of sight
        env = {VARIABLE: mark} | launch.env | {VARIABLE: mark}
        peer = Peer(name, self._clock, self._log, deliver, lost)
        peer.child = Child(name, peer, self._clock, self._log, self._limits.message, self._signal_group)
        try:
            self._reactor.spawnProcess(peer.child, launch.argv[0], launch.argv, env=env)
        except (OSError, ValueError) as error:
            # the text of the error may hold arguments
            self._log.error("process could not be started", error=type(error).__name__)
            raise HandshakeFailed(f"the server '{name}' could not be started by the system") from None
        self._log.info("process started", pid=peer.child.pid)
        peer.child.when_gone().addCallback(lambda _: self._stragglers.ended(mark))
        return peer
