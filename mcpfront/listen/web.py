"""The HTTP engine on twisted.web: requests bounded while they arrive, then shared out between the planes."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.python.failure import Failure
from twisted.web import server
from twisted.web.http import datetimeToString
from twisted.web.resource import IResource

from mcpfront.errors import BadRequest, McpfrontError, to_json
from mcpfront.listen.answer import WebExchange
from mcpfront.listen.channel import GatewayChannel
from mcpfront.listen.exchange import Exchange, HeaderList, Peer
from mcpfront.listen.head import BodyLimit, Head
from mcpfront.listen.limits import HttpLimits
from mcpfront.listen.memory import Memory
from mcpfront.telemetry.logging import get_logger

DataPlane = Callable[[Exchange], bool]
RefusalHeaders = Callable[[bytes | None], HeaderList]
ControlLog = Callable[[bytes, bytes, int, int, float], object]
_RETRY: Final = ((b"Retry-After", b"5"),)
_MAPPED_IPV4 = "::ffff:"
_log = get_logger("http")


class GatewayRequest(server.Request):
    """A request whose body is held to a limit while it arrives, in memory, never on disk.

    Attributes:
        started: the reactor's time at which the head was complete.
        exchange: what the data plane sees of it, None on the control plane.
    """

    defaultContentType = None
    channel: GatewayChannel
    content: BytesIO
    exchange: WebExchange | None = None
    started = 0.0
    _limit = 0
    _refusal: McpfrontError | None = None
    _kept = 0
    _site: GatewaySite

    def gotLength(self, length: int | None) -> None:
        """Refuse a body that is announced too large; the head is complete here, the body has not begun."""
        site = self._site = self.channel.site
        self.content = BytesIO()
        self.started = site.reactor.seconds()
        path = self.channel._path.partition(b"?")[0]  # noqa: SLF001 - the engine tells it only with the body
        self._limit, self._refusal = site.body_limit(path, Head(self.requestHeaders))
        if length is not None and length > self._limit:
            self._too_large()

    def handleContentChunk(self, data: bytes) -> None:
        """Keep a part of the body, or refuse the request once it is over its limit."""
        if self.channel.refused:
            return
        if self.content.tell() + len(data) > self._limit:
            self._let_go()
            self._too_large()
        elif self.channel.site.memory.take(len(data)):
            self._kept += len(data)
            self.content.write(data)
        else:
            self._let_go()
            self.channel.refuse(503, "the gateway has no room for this body; try again later", _RETRY)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """Offer the request to the data plane, else let the control plane's resources have it."""
        site = self.channel.site
        self.method, self.uri, self.clientproto = command, path, version
        self.path, _, query = path.partition(b"?")
        self.exchange = self._make_exchange(query, site)
        if not site.offer(self.exchange) and not _answer_odd_target(self.exchange):
            self.exchange = None
            super().requestReceived(command, path, version)

    def render(self, resrc: IResource) -> None:
        """Render a resource of the control plane without telling which engine does it."""
        self.responseHeaders.removeHeader(b"server")
        super().render(resrc)

    def begin(self, status: int) -> None:
        """Set what every answer of the data plane has in common."""
        site = self.channel.site
        self.setResponseCode(status)
        self.responseHeaders.setRawHeaders(b"Date", [site.date()])
        if site.draining:
            self.channel.persistent = False
        if not self.channel.persistent:
            self.responseHeaders.setRawHeaders(b"Connection", [b"close"])

    def abort(self) -> None:
        """Drop the connection, unsent bytes included."""
        channel = getattr(self, "channel", None)
        if channel is not None:
            channel.forceAbortClient()

    @property
    def congested(self) -> bool:
        """Whether the client still has to read what was written before."""
        return self.channel.congested

    def finish(self) -> None:
        """End the answer; what the client has yet to read of it is counted."""
        channel = self.channel
        super().finish()
        self._let_go()
        if channel.congested and self.responseHeaders.hasHeader(b"content-length"):
            channel.site.memory.waits(channel, self.sentLength)

    def connectionLost(self, reason: Failure) -> None:
        """Tell the exchange that the client left before the answer was complete."""
        self._let_go()
        super().connectionLost(reason)
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            exchange.lost()

    def _make_exchange(self, query: bytes, site: GatewaySite) -> WebExchange:
        body = self.content.getvalue()
        peer = _peer(self.client, self.channel.isSecure())
        return WebExchange(self, query, body, peer, site.reactor, site.limits)

    def _let_go(self) -> None:
        """Keep the body no longer."""
        self.content = BytesIO()
        kept, self._kept = self._kept, 0
        if kept:
            self._site.memory.give(kept)

    def _too_large(self) -> None:
        if self._refusal is not None:
            self.channel.refuse(self._refusal.status, self._refusal.message, self._refusal.headers)
            return
        hint = (
            ""
            if self.requestHeaders.hasHeader(b"authorization")
            else "; requests without a credential may be smaller"
        )
        self.channel.refuse(413, f"the body is over the limit of {self._limit} bytes{hint}")


class GatewaySite(server.Site):
    """Build a channel for each connection and share out requests between the planes.

    Args:
        data_plane: takes an exchange and returns whether it serves that path; it answers later or at once.
        control: the resource for everything else, or what makes it when the first such request comes.
        reactor: for deadlines.
        body_limit: the limit of a body, from the path and the head, and with which error a larger one is
            refused; None says that it is too large.
        limits: bounds of a connection.
        cors: headers that a refused request's answer carries, from the request's Origin.
        control_log: told of each answer of the control plane: method, path, status, bytes, start time.

    Attributes:
        draining: whether connections end with their answer.
        memory: counts what clients make the gateway keep.
    """

    noisy = False
    protocol = GatewayChannel  # type: ignore[assignment]
    requestFactory = GatewayRequest

    def __init__(
        self,
        data_plane: DataPlane,
        control: IResource | Callable[[], IResource],
        reactor: IReactorTime,
        body_limit: BodyLimit,
        limits: HttpLimits | None = None,
        cors: RefusalHeaders | None = None,
        control_log: ControlLog | None = None,
    ) -> None:
        super().__init__(None, reactor=reactor, parsePOSTFormSubmission=False)
        self.limits = limits or HttpLimits()
        self.body_limit = body_limit
        self.draining = False
        self._data_plane = data_plane
        self._control = control
        self._cors = cors
        self._control_log = control_log
        self._channels: set[GatewayChannel] = set()
        self.memory = Memory(self.limits.bodies, self.limits.unread)
        self._second = -1
        self._date = b""

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._channels)

    def acceptableProtocols(self) -> list[bytes]:
        """Return HTTP/1.1 alone: HTTP/2 would be switched on by its library being installed."""
        return [b"http/1.1"]

    def startFactory(self) -> None:
        """Begin; the engine's own access log and its clock are not used."""

    def stopFactory(self) -> None:
        """End."""

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """Make a channel, or refuse the connection when there are too many."""
        if len(self._channels) >= self.limits.connections:
            _log.warning("connection refused", reason="too many connections", open=len(self._channels))
            return None
        return super().buildProtocol(addr)

    def getResourceFor(self, request: server.Request) -> IResource:
        """Find the control plane's resource; it is made when it is first asked for."""
        if self.resource is None:
            self.resource = self._control if IResource.providedBy(self._control) else self._control()
        found: IResource = super().getResourceFor(request)
        return found

    def offer(self, exchange: WebExchange) -> bool:
        """Offer an exchange to the data plane; whatever goes wrong there is answered and logged."""
        try:
            return self._data_plane(exchange)
        except McpfrontError as error:
            _fail(exchange, error)
        except Exception:  # noqa: BLE001 - the last resort: the connection must be answered
            _log.exception("a handler failed", path=exchange.path)
            _fail(exchange, McpfrontError("the gateway failed to handle this request"))
        return True

    def log(self, request: GatewayRequest) -> None:  # type: ignore[override]
        """Tell of an answer of the control plane; the data plane keeps account itself."""
        if request.exchange is None and self._control_log is not None:
            sent = request.sentLength
            self._control_log(request.method, request.path, request.code, sent, request.started)

    def refusal_headers(self, request: GatewayRequest | None) -> HeaderList:
        """Return the headers that the answer to a refused request carries."""
        if self._cors is None or request is None:
            return []
        return self._cors(request.getHeader(b"origin"))

    def date(self) -> bytes:
        """Return the Date header's value; it is formed once a second."""
        second = int(self.reactor.seconds())
        if second != self._second:
            self._second, self._date = second, datetimeToString()
        return self._date

    def opened(self, channel: GatewayChannel) -> None:
        """Count a connection."""
        self._channels.add(channel)

    def closed(self, channel: GatewayChannel) -> None:
        """Forget a connection."""
        self._channels.discard(channel)
        self.memory.caught_up(channel)

    def drain(self) -> None:
        """Close the connections that wait for a request; the others end with their answer."""
        self.draining = True
        for channel in list(self._channels):
            if channel.idle:
                channel.loseConnection()
            else:
                channel.end_with_answer()

    def abort(self) -> None:
        """Drop every connection."""
        for channel in list(self._channels):
            channel.forceAbortClient()


def _answer_odd_target(exchange: WebExchange) -> bool:
    """Answer a target that no resource takes, ``*`` or a path that is no UTF-8; tell whether it was one."""
    if exchange.path == b"*" and exchange.method == b"OPTIONS":
        exchange.respond(204, [(b"Allow", b"GET, HEAD, POST, DELETE, OPTIONS")], b"")
        return True
    try:
        unquote_to_bytes(exchange.path).decode()
    except UnicodeDecodeError:
        _fail(exchange, BadRequest("the path is not UTF-8"))
        return True
    if exchange.path == b"*":
        _fail(exchange, BadRequest("the request target * is for OPTIONS"))
    return exchange.path == b"*"


def _fail(exchange: WebExchange, error: McpfrontError) -> None:
    if not exchange.status:
        headers = [(b"Content-Type", b"application/json"), *error.headers]
        exchange.respond(error.status, headers, to_json(error))


def _peer(address: Any, secure: bool) -> Peer:
    host = getattr(address, "host", "") or getattr(address, "name", b"") or ""
    if isinstance(host, bytes):
        host = host.decode("utf-8", "backslashreplace")
    return Peer(host.removeprefix(_MAPPED_IPV4), getattr(address, "port", 0), secure)
