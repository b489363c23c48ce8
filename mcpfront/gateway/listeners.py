"""The streams of a session that take what belongs to no call, and the messages that wait for one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from mcpfront.gateway.streams import EventStream
from mcpfront.protocol.jsonrpc import Message

MAX_LISTENERS: Final = 4
HELD_EVENTS: Final = 100


class Listeners:
    """The listening streams, newest last: each message goes to exactly one of them.

    Args:
        limit: bytes of messages that may wait for a listener.
        give_up: told of each message that will never be sent.
    """

    __slots__ = ("_give_up", "_held", "_held_bytes", "_limit", "_streams")

    def __init__(self, limit: int, give_up: Callable[[Message], None]) -> None:
        self._limit = limit
        self._give_up = give_up
        self._streams: list[EventStream] = []
        self._held: deque[Message] | None = None
        self._held_bytes = 0

    def __len__(self) -> int:
        return len(self._streams)

    def add(self, stream: EventStream) -> None:
        """Let a stream listen, again if it did before; those messages that waited are sent now."""
        stream.listens = True
        self.discard(stream)
        self._streams.append(stream)
        if len(self._streams) > MAX_LISTENERS:
            # Forgotten before it is ended: a client that reads nothing would keep its end waiting.
            self._streams.pop(0).finish()
        held, self._held, self._held_bytes = self._held, None, 0
        for message in held or ():
            stream.send(message.raw)

    def discard(self, stream: EventStream) -> None:
        """Let a stream listen no more."""
        if stream in self._streams:
            self._streams.remove(stream)

    def send(self, data: bytes) -> bool:
        """Send on the newest; tell whether there is one."""
        if self._streams:
            self._streams[-1].send(data)
        return bool(self._streams)

    def send_or_hold(self, message: Message) -> None:
        """Send on the newest; without one keep the message, and over the bound give the oldest up."""
        if self.send(message.raw):
            return
        if self._held is None:
            self._held = deque()
        self._held.append(message)
        self._held_bytes += len(message.raw)
        while self._held and (len(self._held) > HELD_EVENTS or self._held_bytes > self._limit):
            oldest = self._held.popleft()
            self._held_bytes -= len(oldest.raw)
            self._give_up(oldest)

    def finish(self, farewell: bytes) -> None:
        """End every stream in order and forget what waits."""
        for stream in list(self._streams):
            stream.finish(farewell)
        self._held = None
