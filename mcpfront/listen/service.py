"""The listener: opens the port or says why it cannot, and closes its connections in order."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.internet.endpoints import TCP4ServerEndpoint, TCP6ServerEndpoint, serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.python.failure import Failure

from mcpfront.listen.address import BadAddress, HostPort, parse_address
from mcpfront.listen.web import GatewaySite
from mcpfront.telemetry.logging import get_logger

_BACKLOG: Final = 511
_RESOLVE_SECONDS: Final = (2, 3)
_NO_IPV6: Final = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT})
_log = get_logger("http")


class ListenerService(Service):
    """Listen on one address; a failure ends the process instead of leaving it deaf.

    Args:
        address: a Go listen address or a Twisted endpoint description.
        site: makes the connections.
        reactor: listens and resolves names.
        on_failure: told in one line why listening failed; it must end the process with a non-zero code.
        on_listening: told once connections are accepted.

    Attributes:
        port: the port that is listened on, 0 before and for sockets without one.
    """

    def __init__(
        self,
        address: str,
        site: GatewaySite,
        reactor: Any,
        on_failure: Callable[[str], object],
        on_listening: Callable[[], object] = lambda: None,
    ) -> None:
        self.port = 0
        self._address = address
        self._site = site
        self._reactor = reactor
        self._on_failure = on_failure
        self._on_listening = on_listening
        self._ports: list[IListeningPort] = []
        self._opening: Deferred[None] | None = None

    def privilegedStartService(self) -> None:
        """Open the port while the process may still use one below 1024."""
        super().privilegedStartService()
        self._open()

    def startService(self) -> None:
        """Open the port, unless that was done before."""
        super().startService()
        self._open()

    def stopService(self) -> Deferred[None]:
        """Stop accepting and drop what is left."""
        super().stopService()
        done = self.stop_accepting()
        self.close_all()
        return done

    def stop_accepting(self) -> Deferred[None]:
        """Close the port; connections stay. The Deferred fires once it is closed."""
        if self._opening is not None:
            self._opening.cancel()
        ports, self._ports = self._ports, []
        return Deferred.fromCoroutine(_close(ports))

    def close_idle(self) -> None:
        """Close connections that wait for a request, and let every answer be the last of its connection."""
        self._site.drain()

    def close_all(self) -> None:
        """Drop every connection, unsent bytes included."""
        self._site.abort()

    def _open(self) -> None:
        if self._opening is None and not self._ports:
            self._opening = Deferred.fromCoroutine(self._listen())
            self._opening.addErrback(self._failed)

    async def _listen(self) -> None:
        port = await self._bind()
        self._ports.append(port)
        self._opening = None
        self.port = getattr(port.getHost(), "port", 0)
        _log.info("listening", address=_spell(port.getHost()))
        self._on_listening()

    async def _bind(self) -> IListeningPort:
        where = parse_address(self._address)
        if isinstance(where, str):
            return await _listen(self._endpoint(where), self._site)
        if where.host:
            return await _listen(await self._named(where), self._site)
        try:
            return await _listen(TCP6ServerEndpoint(self._reactor, where.port, _BACKLOG, "::"), self._site)
        except CannotListenError as error:
            if getattr(error.socketError, "errno", None) not in _NO_IPV6:
                raise
            return await _listen(TCP4ServerEndpoint(self._reactor, where.port, _BACKLOG), self._site)

    def _endpoint(self, description: str) -> IStreamServerEndpoint:
        try:
            endpoint: IStreamServerEndpoint = serverFromString(self._reactor, description)
        except (ValueError, TypeError, KeyError) as error:
            raise BadAddress(f'"{description}" is not an endpoint description: {error}') from None
        return endpoint

    async def _named(self, where: HostPort) -> IStreamServerEndpoint:
        host = "127.0.0.1" if where.host == "localhost" else where.host
        if ":" in host:
            return TCP6ServerEndpoint(self._reactor, where.port, _BACKLOG, host)
        if not host.replace(".", "").isdecimal():
            host = await maybeDeferred(self._reactor.resolve, host, _RESOLVE_SECONDS)
        return TCP4ServerEndpoint(self._reactor, where.port, _BACKLOG, host)

    def _failed(self, failure: Failure) -> None:
        self._opening = None
        if not failure.check(CancelledError):
            self._on_failure(f"cannot listen on {self._address}: {_reason(failure.value)}")


async def _close(ports: list[IListeningPort]) -> None:
    for port in ports:
        await maybeDeferred(port.stopListening)


async def _listen(endpoint: IStreamServerEndpoint, site: GatewaySite) -> IListeningPort:
    port: IListeningPort = await endpoint.listen(site)
    return port


def _reason(error: BaseException | None) -> str:
    if isinstance(error, BadAddress):
        return str(error)
    cause = getattr(error, "socketError", error)
    number = getattr(cause, "errno", None)
    if number == errno.EADDRINUSE:
        return "the address is already in use; stop the other program or choose another port"
    if number == errno.EACCES:
        return "permission denied; ports below 1024 need a privilege, choose a higher one"
    if number == errno.EADDRNOTAVAIL:
        return "this machine does not have that address"
    return getattr(cause, "strerror", None) or str(cause) or type(cause).__name__


def _spell(address: Any) -> str:
    host = getattr(address, "host", None)
    if host is None:
        return str(getattr(address, "name", b"") or address)
    return f"[{host}]:{address.port}" if ":" in host else f"{host}:{address.port}"
