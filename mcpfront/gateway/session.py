"""One session: a client's conversation with one server, and the rules by which its messages find a stream.

A session is bound to the principal that opened it and is never itself a proof of who is calling.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from twisted.internet.defer import CancelledError, Deferred

from mcpfront.authn.base import Principal
from mcpfront.errors import INTERNAL_ERROR, McpfrontError, TooManyRequests, Unavailable, jsonrpc_error
from mcpfront.gateway.listeners import Listeners
from mcpfront.gateway.server import Server
from mcpfront.gateway.streams import Bounds, EventStream, Streams
from mcpfront.protocol import mcp
from mcpfront.protocol.jsonrpc import Kind, Message, parse
from mcpfront.upstream.base import Connection

MAX_CALLS: Final = 200
MAX_CALL_BYTES: Final = 16 * 1024 * 1024
"""Bytes of requests that a session may have in flight; each is kept until it is answered."""


class Outlet(Protocol):
    """Where messages go that belong to a call in flight."""

    @property
    def can_stream(self) -> bool:
        """Whether messages can come before the response."""

    def message(self, message: Message) -> None:
        """Send a message that comes before the call's response."""


class Session:
    """A client's conversation with one server.

    Args:
        id: the session id, visible ASCII.
        principal: who opened it.
        server: the server it talks to.
        clock: the time in seconds.
        bounds: limits of buffers.
        on_close: called once when the session ends.
        legacy: whether it speaks HTTP+SSE.

    Attributes:
        echoed: whether the client has ever sent the id back.
        revision: the negotiated revision, empty before.
        last_used: when the last call or stream ended.
        streams: makes its streams and finds those that can be resumed.
    """

    __slots__ = (
        "_calls", "_clock", "_closing", "_connection", "_full", "_listeners", "_on_close", "_opener",
        "_opening", "_own", "closed", "echoed", "id", "last_used", "legacy", "principal", "revision",
        "server", "streams",
    )  # fmt: skip

    def __init__(
        self,
        id: str,
        principal: Principal,
        server: Server,
        clock: Callable[[], float],
        bounds: Bounds,
        on_close: Callable[[Session], object],
        legacy: bool = False,
    ) -> None:
        self.id = id
        self.legacy = legacy
        self.principal = principal
        self.server = server
        self.echoed = False
        self.closed = False
        self.revision = ""
        self.last_used = clock()
        self.streams = Streams(self, bounds, clock)
        self._clock = clock
        self._on_close = on_close
        self._connection: Connection | None = None
        self._own = False
        self._opening: list[Deferred[None]] | None = None
        self._opener: Deferred[Connection] | None = None
        self._closing: Deferred[None] | None = None
        self._calls: dict[Outlet, int] = {}
        self._listeners = Listeners(bounds.stream_buffer, self._give_up)
        self._full: set[EventStream] = set()

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
        refusal: McpfrontError | None = None
        try:
            await self._connect(params)
        except McpfrontError as error:
            refusal = error
            raise
        finally:
            waiting, self._opening = self._opening, None
            for turn in waiting:
                # Whoever waited shares the refusal; after a cancellation the next of them tries.
                if refusal is None:
                    turn.callback(None)
                else:
                    turn.errback(refusal)

    async def _connect(self, params: bytes) -> None:
        self._opener = Deferred.fromCoroutine(self.server.upstream.open(self.principal, params))
        try:
            connection = await self._opener
        except CancelledError:
            if self.closed:
                raise Unavailable("the session has ended; initialize again") from None
            raise
        finally:
            self._opener = None
        if self.closed:
            await connection.close()
            return
        self._connection = connection
        self.revision = mcp.negotiated(connection.result)
        connection.listen(self.deliver)

    @property
    def connection(self) -> Connection | None:
        """The connection, None before ``connect``."""
        return self._connection

    # The client's side

    def begin(self, outlet: Outlet, size: int = 0) -> None:
        """Count a call as running.

        Args:
            outlet: where its messages go.
            size: bytes of the request.

        Raises:
            TooManyRequests: the session has too many calls in flight, or too large ones.
        """
        if len(self._calls) >= MAX_CALLS:
            raise TooManyRequests(f"this session has {MAX_CALLS} calls in flight; wait for one to end")
        if self._calls and sum(self._calls.values()) + size > MAX_CALL_BYTES:
            raise TooManyRequests(
                f"this session would have calls of over {MAX_CALL_BYTES} bytes in flight; wait for one to end"
            )
        self._calls[outlet] = size

    def end(self, outlet: Outlet) -> None:
        """Count a call as ended."""
        self._calls.pop(outlet, None)
        self.last_used = self._clock()

    def add_listener(self, stream: EventStream) -> None:
        """Let a stream take the messages that belong to no call; those that waited are sent now."""
        self._listeners.add(stream)

    def deliver(self, message: Message) -> None:
        """Send a message of the server that belongs to no known call, on exactly one stream."""
        call = self._streaming_call()
        if call is not None and (message.kind is Kind.REQUEST or not self._listeners):
            call.message(message)
        else:
            self._listeners.send_or_hold(message)

    def deliver_aside(self, message: Message) -> None:
        """Send a message of a call whose client takes no stream for it."""
        self._listeners.send_or_hold(message)

    def send(self, data: bytes) -> None:
        """Send on the newest stream that listens; nowhere when there is none."""
        self._listeners.send(data)

    def _streaming_call(self) -> Outlet | None:
        return next((call for call in reversed(self._calls) if call.can_stream), None)

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
        self._listeners.discard(stream)
        self.last_used = self._clock()

    # The end

    def close(self, farewell: bytes = b"") -> Deferred[None]:
        """End the session, its streams, calls and process; fires when all is gone."""
        if self._closing is None:
            self.closed = True
            self._on_close(self)
            self._listeners.finish(farewell)
            if self._opener is not None:
                self._opener.cancel()
            self._closing = Deferred.fromCoroutine(self._close_connection())
        return self._closing

    async def _close_connection(self) -> None:
        if self._connection is not None:
            await self._connection.close()
