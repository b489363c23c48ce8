"""One session: a client's conversation with one server, and the rules by which its messages find a stream.

A session is bound to the principal that opened it and is never itself a proof of who is calling.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from twisted.internet.defer import Deferred

from mcpfront.authn.base import Principal
from mcpfront.errors import INTERNAL_ERROR, TooManyRequests, Unavailable, jsonrpc_error
from mcpfront.gateway.server import Server
from mcpfront.gateway.streams import EventStream, ReplayBuffer
from mcpfront.protocol import mcp
from mcpfront.protocol.jsonrpc import Kind, Message, parse
from mcpfront.upstream.base import Connection

MAX_LISTENERS: Final = 4
HELD_EVENTS: Final = 100
MAX_CALLS: Final = 200
MAX_RESUMABLE: Final = 32


class Outlet(Protocol):
    """Where messages go that belong to a call in flight."""

    @property
    def can_stream(self) -> bool:
        """Whether messages can come before the response."""

    def message(self, message: Message) -> None:
        """Send a message that comes before the call's response."""


class Bounds(Protocol):
    """The limits of the config that a session obeys."""

    @property
    def replay_bytes(self) -> int:
        """Bytes kept for replay."""

    @property
    def replay_events(self) -> int:
        """Events kept for replay."""

    @property
    def stream_buffer(self) -> int:
        """Bytes that may wait for a slow client."""


class Session:
    """A client's conversation with one server.

    Args:
        id: the session id, visible ASCII.
        principal: who opened it.
        server: the server it talks to.
        clock: the time in seconds.
        bounds: limits of buffers.
        on_close: called once when the session ends.

    Attributes:
        echoed: whether the client has ever sent the id back.
        revision: the negotiated revision, empty before.
        last_used: when the last call or stream ended.
    """

    __slots__ = (
        "_bounds", "_calls", "_clock", "_closing", "_connection", "_full", "_held", "_held_bytes",
        "_last_stream", "_listeners", "_on_close", "_opening", "_own", "_replay", "_resumable", "closed",
        "echoed", "id", "last_used", "principal", "revision", "server",
    )  # fmt: skip

    def __init__(
        self,
        id: str,
        principal: Principal,
        server: Server,
        clock: Callable[[], float],
        bounds: Bounds,
        on_close: Callable[[Session], object],
    ) -> None:
        self.id = id
        self.principal = principal
        self.server = server
        self.echoed = False
        self.closed = False
        self.revision = ""
        self.last_used = clock()
        self._clock = clock
        self._bounds = bounds
        self._on_close = on_close
        self._connection: Connection | None = None
        self._own = False
        self._opening: list[Deferred[None]] | None = None
        self._closing: Deferred[None] | None = None
        self._calls: list[Outlet] = []
        self._listeners: list[EventStream] = []
        self._resumable: dict[int, EventStream] = {}
        self._full: set[EventStream] = set()
        self._held: deque[Message] | None = None
        self._held_bytes = 0
        self._replay: ReplayBuffer | None = None
        self._last_stream = 0

    @property
    def busy(self) -> bool:
        """Whether a call runs or a stream is open."""
        return bool(self._calls or self._listeners or self._opening is not None)

    # The server's side

    async def connect(self, params: bytes) -> Connection:
        """Return the connection to the server, opening it with ``initialize`` params if there is none.

        Raises:
            HandshakeFailed: the server could not be reached.
            TooManyRequests: the caller may start no more processes.
            Unavailable: the session ended meanwhile.
        """
        while self._connection is None:
            if self.closed:
                raise Unavailable("the session has ended; initialize again")
            if self._opening is not None:
                turn: Deferred[None] = Deferred()
                self._opening.append(turn)
                await turn
            else:
                await self._open(params)
        return self._connection

    async def initialize(self, params: bytes) -> Connection:
        """Open the connection at the client's own wish.

        A connection that the gateway opened before the client asked is replaced: it would lack the client's
        capabilities. One that the client itself opened stays.

        Raises:
            HandshakeFailed: the server could not be reached.
            TooManyRequests: the caller may start no more processes.
            Unavailable: the session ended meanwhile.
        """
        if self._connection is not None and not self._own:
            earlier, self._connection = self._connection, None
            await earlier.close()
        connection = await self.connect(params)
        self._own = True
        return connection

    async def _open(self, params: bytes) -> None:
        self._opening = []
        try:
            connection = await self.server.upstream.open(self.principal, params)
            if self.closed:
                await connection.close()
                return
            self._connection = connection
            self.revision = mcp.negotiated(connection.result)
            connection.listen(self.deliver)
        finally:
            waiting, self._opening = self._opening, None
            for turn in waiting:
                turn.callback(None)

    @property
    def connection(self) -> Connection | None:
        """The connection, None before ``connect``."""
        return self._connection

    # The client's side

    def begin(self, outlet: Outlet) -> None:
        """Count a call as running.

        Raises:
            TooManyRequests: the session has too many calls in flight.
        """
        if len(self._calls) >= MAX_CALLS:
            raise TooManyRequests(f"this session has {MAX_CALLS} calls in flight; wait for one to end")
        self._calls.append(outlet)

    def end(self, outlet: Outlet) -> None:
        """Count a call as ended."""
        if outlet in self._calls:
            self._calls.remove(outlet)
        self.last_used = self._clock()

    def new_stream(self, *, replay: bool = True) -> EventStream:
        """Make a stream of this session; with ``replay`` its events carry ids and can be resumed."""
        if replay and self._replay is None:
            self._replay = ReplayBuffer(self._bounds.replay_events, self._bounds.replay_bytes)
        self._last_stream += 1
        kept = self._replay if replay else None
        stream = EventStream(self._last_stream, self, self._bounds.stream_buffer, self._clock, kept)
        if replay:
            self._resumable[stream.number] = stream
            while len(self._resumable) > MAX_RESUMABLE:
                oldest = next(iter(self._resumable))
                del self._resumable[oldest]
        return stream

    def resumable(self, number: int) -> EventStream | None:
        """Return the stream of that number, None when it is unknown."""
        return self._resumable.get(number)

    @property
    def replay(self) -> ReplayBuffer | None:
        """The events that can be replayed, None before the first."""
        return self._replay

    def add_listener(self, stream: EventStream) -> None:
        """Let a stream take the messages that belong to no call; those that waited are sent now."""
        stream.listens = True
        self._listeners.append(stream)
        if len(self._listeners) > MAX_LISTENERS:
            self._listeners[0].finish()
        held, self._held, self._held_bytes = self._held, None, 0
        for message in held or ():
            stream.send(message.raw)

    def deliver(self, message: Message) -> None:
        """Send a message of the server that belongs to no known call, on exactly one stream."""
        call = self._streaming_call()
        if message.kind is Kind.REQUEST and call is not None:
            call.message(message)
        elif self._listeners:
            self._listeners[-1].send(message.raw)
        elif call is not None:
            call.message(message)
        else:
            self._hold(message)

    def deliver_aside(self, message: Message) -> None:
        """Send a message of a call whose client takes no stream for it."""
        if self._listeners:
            self._listeners[-1].send(message.raw)
        else:
            self._hold(message)

    def send(self, data: bytes) -> None:
        """Send on the newest stream that listens; nowhere when there is none."""
        if self._listeners:
            self._listeners[-1].send(data)

    def _streaming_call(self) -> Outlet | None:
        return next((call for call in reversed(self._calls) if call.can_stream), None)

    def _hold(self, message: Message) -> None:
        """Keep a message until somebody listens; over the bound the oldest is given up."""
        if self._held is None:
            self._held = deque()
        self._held.append(message)
        self._held_bytes += len(message.raw)
        while self._held and (len(self._held) > HELD_EVENTS or self._held_bytes > self._bounds.stream_buffer):
            oldest = self._held.popleft()
            self._held_bytes -= len(oldest.raw)
            self._give_up(oldest)

    def _give_up(self, message: Message) -> None:
        """Tell the server that a request of its own will never be answered."""
        if message.kind is Kind.REQUEST and self._connection is not None:
            text = "the client opens no stream on which it could be asked"
            self._connection.respond(parse(jsonrpc_error(message.id, INTERNAL_ERROR, text)))

    # Back-pressure: a slow client slows its own server, never another user's

    def stream_full(self, stream: EventStream) -> None:
        """Stop reading from a server of our own; cut the client off where the server is shared."""
        if self._connection is None or self._connection.shared:
            stream.abort()
        else:
            self._full.add(stream)
            self._connection.pause()

    def stream_free(self, stream: EventStream) -> None:
        """Read on once no stream is full any more."""
        self._full.discard(stream)
        if not self._full and self._connection is not None:
            self._connection.resume()

    def stream_detached(self, stream: EventStream) -> None:
        """Forget a stream without a client; its events can still be replayed."""
        if stream in self._listeners:
            self._listeners.remove(stream)
        self.last_used = self._clock()

    # The end

    def close(self, farewell: bytes = b"") -> Deferred[None]:
        """End the session, its streams, calls and process; fires when all is gone."""
        if self._closing is None:
            self.closed = True
            self._on_close(self)
            for stream in [*self._listeners]:
                stream.finish(farewell)
            self._held = None
            self._closing = Deferred.fromCoroutine(self._close_connection())
        return self._closing

    async def _close_connection(self) -> None:
        if self._connection is not None:
            await self._connection.close()
