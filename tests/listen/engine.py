"""The engine without sockets: a site on a clock, and clients that are strings of bytes."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource

from mcpfront.errors import McpfrontError
from mcpfront.listen.exchange import Exchange
from mcpfront.listen.limits import HttpLimits
from mcpfront.listen.web import GatewaySite
from mcpfront.telemetry.logging import configure

PEER = IPv4Address("TCP", "127.0.0.1", 50000)
HEAD = b"POST /x/mcp HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer t\r\n"


class Wire(StringTransport):
    """A transport that really goes away when it is told to."""

    aborted = False

    def __init__(self, client: Client) -> None:
        super().__init__(peerAddress=PEER, lenient=True)
        self._client = client

    def abortConnection(self) -> None:
        """Drop the connection as a socket does: later, by connectionLost."""
        self.aborted = True
        self._client.engine.clock.callLater(0, self._client.leave)


class Listener:
    """A stream's listener that writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def stream_paused(self) -> None:
        """Write it down."""
        self.told.append("paused")

    def stream_resumed(self) -> None:
        """Write it down."""
        self.told.append("resumed")

    def stream_gone(self) -> None:
        """Write it down."""
        self.told.append("gone")


class Client:
    """One connection to the engine, driven by the test."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.wire = Wire(self)
        self.connected = True
        self.channel = engine.site.buildProtocol(PEER)
        if self.channel is not None:
            self.channel.makeConnection(self.wire)

    def send(self, *parts: bytes) -> bytes:
        """Send bytes, part by part, and return all that was answered so far."""
        for part in parts:
            if self.connected and not self.wire.disconnecting:
                self.channel.dataReceived(part)
        return bytes(self.wire.value())

    def leave(self) -> None:
        """Close the connection from outside."""
        if self.connected:
            self.connected = False
            self.channel.connectionLost(Failure(ConnectionDone()))

    @property
    def status(self) -> int:
        """The status of the first answer, 0 when there is none."""
        head = self.wire.value().split(b"\r\n")[0].split(b" ")
        return int(head[1]) if len(head) > 1 else 0

    @property
    def closing(self) -> bool:
        """Whether the engine has closed the connection."""
        return bool(self.wire.disconnecting) or self.wire.aborted


class Engine:
    """A site whose data plane keeps the exchanges, and whose control plane counts."""

    def __init__(self, body: int = 1000, unauthorized: int = 100, **limits: Any) -> None:
        self.clock = Clock()
        self.exchanges: list[Exchange] = []
        self.controls: list[tuple[bytes, bytes, int, int, float]] = []
        self.made = 0
        self.answer = b"{}"
        self.hold = False
        self.refusal: McpfrontError | None = None
        self.clients: list[Client] = []
        self.site = GatewaySite(
            self.take,
            self.control,
            self.clock,
            lambda _path, head: (body if head.headers(b"authorization") else unauthorized, self.refusal),
            replace(HttpLimits(), **limits),
            cors=lambda origin: [(b"Access-Control-Allow-Origin", origin)] if origin else [],
            control_log=lambda *facts: self.controls.append(facts),
        )

    def take(self, exchange: Exchange) -> bool:
        """Keep an exchange of the data plane and answer it, unless the test wants to."""
        if not exchange.path.startswith(b"/x/"):
            return False
        self.exchanges.append(exchange)
        if not self.hold:
            exchange.respond(200, [(b"Content-Type", b"application/json")], self.answer)
        return True

    def control(self) -> Resource:
        """Make the control plane."""
        self.made += 1
        root = Resource()
        root.putChild(b"health", Health())
        return root

    def client(self) -> Client:
        """Open a connection."""
        client = Client(self)
        self.clients.append(client)
        return client

    def close(self) -> list[object]:
        """Close every connection and return the timers that are left."""
        for client in self.clients:
            client.leave()
        return list(self.clock.getDelayedCalls())


class Health(Resource):
    """A page of the control plane."""

    isLeaf = True  # noqa: N815 - Twisted's name

    def render_GET(self, request: object) -> bytes:
        """Answer."""
        return b"well"


class EngineCase(SynchronousTestCase):
    """A test with an engine that must leave no timer behind; what it logs is kept in ``log``."""

    def setUp(self):
        self.log = StringIO()
        configure({}, self.log)
        self.addCleanup(configure, {})
        self.engine = Engine()
        self.addCleanup(lambda: self.assertEqual(self.engine.close(), []))
