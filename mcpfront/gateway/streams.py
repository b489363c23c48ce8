"""Event streams of a session: numbered, replayable within a bound, held back when the client reads slowly.

Source: MCP 2025-03-26 to 2025-11-25, Streamable HTTP, "Resumability and Redelivery": event ids are unique
within the
session and tell the stream, and a stream replays only its own messages.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from twisted.internet.defer import Deferred

from mcpfront.errors import BadRequest
from mcpfront.gateway.attachment import Attachment
from mcpfront.listen.exchange import Exchange, HeaderList
from mcpfront.protocol.framing import sse_comment, sse_event

MAX_RESUMABLE: Final = 32
MAX_LOST: Final = 64
"""Streams of which is remembered what was lost, more than can be resumed."""
GOODBYE: Final = sse_comment(b"the gateway is shutting down")


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


class Flow(Protocol):
    """What a stream tells its session."""

    def stream_full(self, stream: EventStream) -> None:
        """Tell that a slow client's backlog is over the bound."""

    def stream_free(self, stream: EventStream) -> None:
        """Tell that the backlog of a full stream is gone."""

    def stream_detached(self, stream: EventStream) -> None:
        """Tell that the stream has no client any more."""


class ReplayBuffer:
    """The last events of a session, for clients that come back with ``Last-Event-ID``.

    Args:
        max_events: events kept.
        max_bytes: bytes of frames kept.
    """

    __slots__ = ("_bytes", "_events", "_last", "_lost", "_max_bytes", "_max_events")

    def __init__(self, max_events: int, max_bytes: int) -> None:
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._events: deque[tuple[int, int, bytes]] = deque()
        self._bytes = 0
        self._last = 0
        self._lost: dict[int, int] = {}

    def add(self, stream: int, data: bytes) -> bytes:
        """Give an event of a stream its number, keep it, and return its frame."""
        self._last += 1
        frame = sse_event(data, b"message" if data else b"", b"%d-%d" % (stream, self._last))
        self._events.append((stream, self._last, frame))
        self._bytes += len(frame)
        while self._events and (len(self._events) > self._max_events or self._bytes > self._max_bytes):
            self._lose(*self._events.popleft())
        return frame

    def since(self, stream: int, event: int) -> list[bytes]:
        """Return the kept frames of a stream that came after an event."""
        return [frame for number, at, frame in self._events if number == stream and at > event]

    def lost_since(self, stream: int, event: int) -> bool:
        """Tell whether something that a stream sent after an event is no longer kept."""
        return self._lost.get(stream, 0) > event

    def _lose(self, stream: int, event: int, frame: bytes) -> None:
        self._bytes -= len(frame)
        self._lost.pop(stream, None)
        self._lost[stream] = event
        if len(self._lost) > MAX_LOST:
            del self._lost[next(iter(self._lost))]


def parse_event_id(value: bytes) -> tuple[int, int]:
    """Split a ``Last-Event-ID`` of ours into stream and event.

    Raises:
        BadRequest: when it is none of ours.
    """
    stream, dash, event = value.partition(b"-")
    if not (dash and stream.isdigit() and event.isdigit() and len(value) <= 40):  # noqa: PLR2004
        raise BadRequest("Last-Event-ID is none that this gateway gave out; open the stream without it")
    return int(stream), int(event)


class EventStream:
    """One stream of a session, attached to at most one HTTP answer at a time.

    Args:
        number: tells the streams of a session apart in event ids.
        flow: the session.
        limit: bytes that may wait for a slow client before the flow is told.
        clock: the time in seconds.
        replay: keeps the events; None for a stream without event ids.

    Attributes:
        ended: whether nothing more will be sent.
        listens: whether it takes the messages that belong to no call.
    """

    __slots__ = ("_attachment", "_clock", "_flow", "_limit", "_replay", "ended", "listens", "number")

    def __init__(
        self, number: int, flow: Flow, limit: int, clock: Callable[[], float], replay: ReplayBuffer | None
    ) -> None:
        self.number = number
        self.ended = False
        self.listens = False
        self._flow = flow
        self._limit = limit
        self._clock = clock
        self._replay = replay
        self._attachment: Attachment | None = None

    def attach(self, exchange: Exchange, headers: HeaderList) -> Deferred[None]:
        """Answer an exchange with this stream; an earlier answer of the stream is ended.

        Returns:
            What fires when this answer has ended, by either side.
        """
        earlier = self._attachment
        attachment = self._attachment = Attachment(self, self._limit, self._clock)
        if earlier is not None:
            earlier.abort()
        attachment.begin(exchange, headers)
        return attachment.ended

    def prime(self) -> None:
        """Send an event with an id and no data, from which a client can resume (MCP 2025-11-25)."""
        self.send(b"")

    def send(self, data: bytes) -> None:
        """Send one JSON-RPC message; without a client it is kept for replay only."""
        frame = sse_event(data, b"message") if self._replay is None else self._replay.add(self.number, data)
        self.write(frame)

    def write(self, frame: bytes) -> None:
        """Send a frame as it is."""
        if self._attachment is not None:
            self._attachment.write(frame)

    def keep_alive(self) -> None:
        """Give a sign of life."""
        if self._attachment is not None:
            self._attachment.keep_alive()

    def finish(self, farewell: bytes = b"") -> None:
        """End the stream in order: nothing more will be sent on it."""
        self.ended = True
        if self._attachment is not None:
            if farewell:
                self._attachment.write(farewell)
            self._attachment.finish()

    def abort(self) -> None:
        """Drop the client; what was sent can still be replayed."""
        if self._attachment is not None:
            self._attachment.abort()

    def attachment_full(self) -> None:
        """Pass it on."""
        self._flow.stream_full(self)

    def attachment_free(self) -> None:
        """Pass it on."""
        self._flow.stream_free(self)

    def attachment_gone(self, attachment: Attachment) -> None:
        """Forget the client, unless another has taken its place."""
        if attachment is self._attachment:
            self._attachment = None
            self._flow.stream_detached(self)


class Streams:
    """The streams that a session has made, as far as they can be resumed.

    Args:
        flow: the session.
        bounds: limits of buffers.
        clock: the time in seconds.

    Attributes:
        replay: the events that can be replayed, None before the first stream of them.
    """

    __slots__ = ("_bounds", "_clock", "_flow", "_last", "_resumable", "replay")

    def __init__(self, flow: Flow, bounds: Bounds, clock: Callable[[], float]) -> None:
        self.replay: ReplayBuffer | None = None
        self._flow = flow
        self._bounds = bounds
        self._clock = clock
        self._last = 0
        self._resumable: dict[int, EventStream] = {}

    def new(self, *, replay: bool = True) -> EventStream:
        """Make a stream; with ``replay`` its events carry ids and can be resumed."""
        if replay and self.replay is None:
            self.replay = ReplayBuffer(self._bounds.replay_events, self._bounds.replay_bytes)
        self._last += 1
        kept = self.replay if replay else None
        stream = EventStream(self._last, self._flow, self._bounds.stream_buffer, self._clock, kept)
        if replay:
            self._resumable[stream.number] = stream
            if len(self._resumable) > MAX_RESUMABLE:
                del self._resumable[next(iter(self._resumable))]
        return stream

    def resume(self, number: int, event: int) -> tuple[EventStream, list[bytes]] | None:
        """Find a stream and what it sent after an event.

        Returns:
            None when the stream is unknown, or has ended and cannot be told whole: what is missing might be
            the very answer that its client waits for.
        """
        stream, replay = self._resumable.get(number), self.replay
        if stream is None or replay is None or (stream.ended and replay.lost_since(number, event)):
            return None
        return stream, replay.since(number, event)
