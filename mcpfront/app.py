"""The composition root: builds every object once and hands each exactly what it needs."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from typing import Any

from twisted.application.service import IService
from twisted.internet.task import LoopingCall
from twisted.web.resource import IResource

from mcpfront.authn.chain import authenticator_for
from mcpfront.authz.policy import Policy
from mcpfront.config.model import Config, Limits
from mcpfront.config.model import Server as ServerConfig
from mcpfront.errors import McpfrontError
from mcpfront.gateway.alive import KeepAlive
from mcpfront.gateway.endpoint import Endpoint
from mcpfront.gateway.legacy_sse import LegacySse
from mcpfront.gateway.lifetime import Lifetime
from mcpfront.gateway.router import Route, routes
from mcpfront.gateway.server import Server
from mcpfront.gateway.sessions import SessionTable
from mcpfront.gateway.streamable import Streamable
from mcpfront.listen.guard import Guard
from mcpfront.listen.head import BodyLimit, Head
from mcpfront.listen.limits import HttpLimits
from mcpfront.listen.service import ListenerService
from mcpfront.listen.web import GatewaySite
from mcpfront.telemetry.access import AccessLog
from mcpfront.telemetry.logging import get_logger
from mcpfront.telemetry.systemd import Notifier
from mcpfront.upstream.budget import SpawnBudget
from mcpfront.upstream.stdio import StdioUpstream
from mcpfront.upstream.stragglers import Stragglers, scanner
from mcpfront.upstream.unserved import UnservedUpstream

_log = get_logger("mcpfront")


def build(config: Config, reactor: Any, environ: Mapping[str, str]) -> IService:
    """Build the gateway.

    Args:
        config: what to serve and where.
        reactor: listens, waits and starts processes.
        environ: the gateway's environment; children see the allowed names of it.

    Returns:
        The service whose start opens the port and whose stop drains.
    """
    proxy = config.proxy
    servers = _servers(config, reactor, environ)
    table = SessionTable(reactor.seconds, proxy.sessions, proxy.limits)
    alive = KeepAlive()
    guard = Guard(proxy.base_url, proxy.allowed_hosts, proxy.origins)
    access = AccessLog(reactor)
    table_of_routes = routes(proxy.base_path, servers)
    legacy = LegacySse(table, alive, proxy.base_url, _log_failure)
    endpoint = Endpoint(table_of_routes, guard, Streamable(table, alive, reactor.seconds), legacy, access)
    signs = Signs(Notifier(environ), reactor)
    started = reactor.seconds()
    site = GatewaySite(
        endpoint.handle,
        lambda: _control_plane(reactor, proxy.base_path, signs, started),
        reactor,
        _body_limits(table_of_routes, _open_servers(config), proxy.limits),
        _http_limits(proxy.limits),
        guard.cors,
        access.control,
    )

    def failed(message: str) -> None:
        lifetime.failed(message)

    def opened() -> None:
        lifetime.opened()

    listener = ListenerService(proxy.addr, site, reactor, failed, opened)
    lifetime = Lifetime(
        reactor,
        listener,
        endpoint,
        table,
        alive,
        [server.upstream for server in servers],
        signs,
        proxy.limits.drain,
        proxy.sessions.cleanup_interval,
        _log,
        _abandon,
    )
    _tell(config)
    return lifetime


def run(path: str) -> int:
    """Run the gateway until it is told to stop.

    Args:
        path: the config file.

    Returns:
        The exit code.

    Raises:
        ConfigError: the config cannot be used.
        SystemExit: the port cannot be opened.
    """
    from twisted.internet import reactor  # noqa: PLC0415 - only a running gateway needs one
    from twisted.logger import globalLogBeginner  # noqa: PLC0415

    from mcpfront.config.load import load  # noqa: PLC0415
    from mcpfront.telemetry import logging  # noqa: PLC0415

    logging.configure(os.environ, sys.stderr)
    config = load(path, os.environ)
    globalLogBeginner.beginLoggingTo([logging.observer()], redirectStandardIO=False)
    service = build(config, reactor, os.environ)
    service.privilegedStartService()
    service.startService()
    reactor.addSystemEventTrigger("before", "shutdown", service.stopService)
    exit_in_order(reactor)
    reactor.run()
    return 0


def exit_in_order(reactor: Any) -> None:
    """Make the first SIGTERM or SIGINT end the process, with code 0, once everything has stopped."""
    told = False

    def stop(*_: object) -> None:
        nonlocal told
        if told:
            return
        told = True
        if not reactor.running:
            raise SystemExit(0)
        reactor.callFromThread(reactor.stop)

    def install() -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)

    install()  # the reactor puts these back when it ends, so that a late signal finds them
    reactor.callWhenRunning(install)


class Signs:
    """Tells the service manager, the health page and the log how the gateway is.

    Args:
        notifier: the service manager.
        reactor: for signs of life.
    """

    def __init__(self, notifier: Notifier, reactor: Any) -> None:
        self._notifier = notifier
        self._life = LoopingCall(notifier.alive)
        self._life.clock = reactor
        self.reason = "starting"

    def ready(self) -> None:
        """Tell that requests are served."""
        self.reason = ""
        self._notifier.ready("serving")
        if self._notifier.watchdog is not None:
            self._life.start(self._notifier.watchdog)
        _log.info("ready")

    def stopping(self) -> None:
        """Tell that no more are."""
        self.reason = "shutting down"
        self._notifier.stopping()
        if self._life.running:
            self._life.stop()
        _log.info("stopping")


def _servers(config: Config, reactor: Any, environ: Mapping[str, str]) -> list[Server]:
    budget = SpawnBudget(config.proxy.sessions.max_total)
    log = get_logger("server")
    stragglers = Stragglers(scanner(reactor), reactor, log)
    found = []
    for name, server in config.mcp_servers.items():
        upstream: StdioUpstream | UnservedUpstream
        if server.type == "direct" and server.transport_type == "stdio":
            most = config.proxy.sessions.max_per_user
            upstream = StdioUpstream(
                server, reactor, reactor, environ, log, config.proxy.limits, budget, stragglers, most
            )
        else:
            upstream = UnservedUpstream(
                name, server.type if server.type != "direct" else server.transport_type
            )
        found.append(Server(name, upstream, authenticator_for(server, config.proxy), _policy(server)))
    return found


def _policy(server: ServerConfig) -> Policy | None:
    chosen = server.options.tool_filter if server.options is not None else None
    policy = Policy(chosen)
    return None if policy.unrestricted else policy


def _open_servers(config: Config) -> set[str]:
    """Return the names of the servers that ask nobody who they are."""
    if config.proxy.auth is not None:
        return set()
    return {name for name, server in config.mcp_servers.items() if not server.service_auths}


def _body_limits(table: dict[bytes, Route], open_servers: set[str], limits: Limits) -> BodyLimit:
    """Give the whole limit to those alone whose credential is good: a body is kept while it arrives."""

    def limit(path: bytes, head: Head) -> tuple[int, McpfrontError | None]:
        route = table.get(path)
        if route is None or (route.server.name not in open_servers and not head.headers(b"authorization")):
            return limits.body_unauthenticated, None
        try:
            route.server.authenticator.authenticate(head)
        except McpfrontError as error:
            return limits.body_unauthenticated, error
        return limits.body, None

    return limit


def _http_limits(limits: Limits) -> HttpLimits:
    return HttpLimits(
        header_timeout=limits.header_timeout,
        body_timeout=limits.body_timeout,
        stream_buffer=limits.stream_buffer,
    )


def _control_plane(reactor: Any, base_path: str, signs: Signs, started: float) -> IResource:
    from mcpfront.telemetry.health import Health  # noqa: PLC0415 - klein is slow to import

    return Health(reactor, base_path, lambda: signs.reason, started).resource()


def _tell(config: Config) -> None:
    """Log what an operator should know before the first request."""
    for problem in config.warnings:
        _log.warning(str(problem))


def _log_failure(failure: object) -> None:
    _log.error("a call failed", exception=str(failure))


def _abandon(message: str) -> None:
    """End the process: the port turned out not to open when everything else was already running."""
    print(f"mcpfront: {message}", file=sys.stderr, flush=True)  # noqa: T201
    os._exit(1)
