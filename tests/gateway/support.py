"""What the tests of the gateway room share: a server played by the test, and requests in memory."""

from dataclasses import dataclass, field

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mcpfront.authn.base import ANONYMOUS, Principal
from mcpfront.errors import Unauthorized
from mcpfront.gateway.alive import KeepAlive
from mcpfront.gateway.endpoint import Endpoint
from mcpfront.gateway.legacy_sse import LegacySse
from mcpfront.gateway.router import routes
from mcpfront.gateway.server import Server
from mcpfront.gateway.sessions import SessionTable
from mcpfront.gateway.streamable import Streamable
from mcpfront.protocol import jsonrpc
from mcpfront.testing.exchange import MemoryExchange

RESULT = (
    b'{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},'
    b'"serverInfo":{"name":"played","version":"1"}}'
)
BOTH = b"application/json, text/event-stream"


@dataclass
class Bounds:
    """The limits that sessions obey in tests."""

    replay_bytes: int = 10_000
    replay_events: int = 50
    stream_buffer: int = 1000
    timeout: float = 300.0
    max_per_user: int = 3
    max_total: int = 20


@dataclass
class Call:
    """A request that reached the played server."""

    message: jsonrpc.Message
    on_message: object
    answer: Deferred

    def say(self, raw: bytes) -> None:
        """Send a message that belongs to the call."""
        self.on_message(jsonrpc.parse(raw))

    def reply(self, result: bytes = b"{}") -> None:
        """Answer the call."""
        self.answer.callback(jsonrpc.response(self.message.id, result))


@dataclass
class PlayedConnection:
    """A connection whose server is the test."""

    result: bytes
    shared: bool = False
    calls: list = field(default_factory=list)
    notes: list = field(default_factory=list)
    responses: list = field(default_factory=list)
    paused: bool = False
    closed: bool = False
    say: object = None

    async def request(self, message, on_message):
        """Hand the request to the test."""
        call = Call(message, on_message, Deferred())
        self.calls.append(call)
        return await call.answer

    def notify(self, message):
        self.notes.append(message)

    def respond(self, message):
        self.responses.append(message)

    def listen(self, on_message):
        self.say = lambda raw: on_message(jsonrpc.parse(raw))

    def pause(self):
        self.paused = True

    def resume(self):
        self.paused = False

    async def close(self):
        self.closed = True
        for call in self.calls:
            if not call.answer.called:
                call.answer.errback(self.gone())

    @staticmethod
    def gone():
        from mcpfront.errors import ServerExited

        return ServerExited("the session was closed")


class PlayedUpstream:
    """An upstream whose connections are the test's."""

    def __init__(self, name: str, result: bytes = RESULT) -> None:
        self.name = name
        self.result = result
        self.connections: list[PlayedConnection] = []
        self.params: list[bytes] = []
        self.error: Exception | None = None
        self.hold: Deferred | None = None
        self.shared = False

    async def open(self, principal, params):
        self.params.append(params)
        if self.hold is not None:
            await self.hold
        if self.error is not None:
            raise self.error
        self.connections.append(PlayedConnection(self.result, self.shared))
        return self.connections[-1]

    def start(self):
        """Nothing is kept warm."""

    async def close(self):
        """Nothing is left."""


class NamedByHeader:
    """Lets in whoever the ``Authorization`` header names."""

    def authenticate(self, exchange):
        name = exchange.header(b"authorization")
        if name is None:
            raise Unauthorized("say who you are", headers=((b"www-authenticate", b"Bearer"),))
        return ANONYMOUS if name == b"nobody" else Principal(name.decode(), "bearer")


class AllowAll:
    """A guard that lets every Host and Origin pass."""

    def check(self, exchange):
        exchange.add_header(b"vary", b"Origin")

    def preflight(self, exchange):
        return False


class KeptLog:
    """An access log that keeps its records."""

    def __init__(self):
        self.lines = []
        self.failures = []

    def write(self, exchange, record):
        self.lines.append((exchange.status, record))

    def failure(self, exchange, record, failure):
        self.failures.append(failure)


class House:
    """A whole gateway room, with two servers that the test plays."""

    def __init__(self, bounds: Bounds | None = None, tool_filter=None) -> None:
        self.clock = Clock()
        self.bounds = bounds or Bounds()
        self.upstream = PlayedUpstream("x")
        self.other = PlayedUpstream("y")
        policy = None
        if tool_filter is not None:
            from mcpfront.authz.policy import Policy

            policy = Policy(tool_filter)
        servers = [
            Server("x", self.upstream, NamedByHeader(), policy),
            Server("y", self.other, NamedByHeader(), None),
        ]
        self.table = SessionTable(self.clock.seconds, self.bounds, self.bounds)
        self.alive = KeepAlive()
        self.errors = []
        self.log = KeptLog()
        self.endpoint = Endpoint(
            routes("", servers),
            AllowAll(),
            Streamable(self.table, self.alive, self.clock.seconds),
            LegacySse(self.table, self.alive, "http://front", self.errors.append),
            self.log,
        )

    def ask(
        self, method=b"POST", path=b"/x/mcp", body=b"", user=b"ann", query=b"", **headers
    ) -> MemoryExchange:
        """Send one HTTP request; keyword arguments are headers, with ``_`` for ``-``."""
        sent = {b"authorization": user, b"accept": BOTH, b"content-type": b"application/json"}
        for name, value in headers.items():
            sent[name.replace("_", "-").encode()] = value
        kept = {name: value for name, value in sent.items() if value is not None}
        exchange = MemoryExchange(method, path, query, kept, body)
        if not self.endpoint.handle(exchange):
            raise AssertionError("no server owns this path")
        return exchange

    def call(self, method: str, id: int = 1, params: bytes = b"{}", **rest) -> MemoryExchange:
        """POST one request."""
        return self.ask(body=jsonrpc.request(b"%d" % id, method, params), **rest)

    def initialize(self, version: bytes = b"2025-06-18", **rest) -> bytes:
        """Open a session; return its id."""
        params = (
            b'{"protocolVersion":"%b","capabilities":{},"clientInfo":{"name":"t","version":"1"}}' % version
        )
        exchange = self.call("initialize", 0, params, **rest)
        return exchange.response_headers[b"mcp-session-id"]


class SessionCase(SynchronousTestCase):
    """A house with one open session, whose server the test plays."""

    def setUp(self):
        self.house = House()
        self.session = self.house.initialize()
        self.connection = self.house.upstream.connections[0]

    def get(self, **rest):
        """Open the session's GET stream."""
        return self.house.ask(b"GET", mcp_session_id=self.session, **rest)


def events(data: bytes) -> list:
    """Parse an event stream into (event, id, decoded data) triples; comments are left out."""
    found = []
    for block in data.split(b"\n\n"):
        fields = dict(
            line.split(b": ", 1) for line in block.split(b"\n") if line and not line.startswith(b":")
        )
        if fields:
            text = fields.get(b"data", b"")
            value = msgspec.json.decode(text) if text[:1] == b"{" else text
            found.append((fields.get(b"event"), fields.get(b"id"), value))
    return found
