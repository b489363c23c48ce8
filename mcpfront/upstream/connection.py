"""One session's side of a stdio server: its calls, what the server asks of it, what it has yet to hear."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

from mcpfront.protocol.jsonrpc import Message
from mcpfront.upstream.asks import Asks
from mcpfront.upstream.base import OnMessage
from mcpfront.upstream.calls import Call, key

if TYPE_CHECKING:
    from mcpfront.upstream.hub import Hub

MAX_UNHEARD: Final = 100


class StdioConnection:
    """A session's conversation with a server; see :class:`mcpfront.upstream.base.Connection`.

    Args:
        hub: the process and who else uses it.
        result: the raw InitializeResult for this client.
        capabilities: the names of what the client can be asked for.
        log: a logger bound to the server.

    Attributes:
        calls: the calls in flight and their ids, which clients that share a session may choose alike.
        asks: the server's requests that the client has yet to answer.
        closed: whether the session has ended.
    """

    def __init__(self, hub: Hub, result: bytes, capabilities: frozenset[str], log: Any) -> None:
        self.result = result
        self.shared = hub.shared
        self.capabilities = capabilities
        self.calls: dict[Call, bytes] = {}
        self.asks = Asks()
        self.closed = False
        self._hub = hub
        self._log = log
        self._listener: OnMessage | None = None
        self._unheard: deque[Message] = deque()

    async def request(self, message: Message, on_message: OnMessage) -> bytes:
        """Send a request and wait for its response, which carries the client's id."""
        return await self._hub.call(self, message, on_message)

    def notify(self, message: Message) -> None:
        """Pass on a notification of the client."""
        self._hub.notify(self, message)

    def respond(self, message: Message) -> None:
        """Pass on the client's response to a request of the server."""
        ask = self.asks.answered(message.id)
        if ask is not None:
            ask.peer.send(message.with_id(ask.id))

    def listen(self, on_message: OnMessage) -> None:
        """Say who takes the messages that belong to no call."""
        self._listener = on_message
        while self._unheard:
            on_message(self._unheard.popleft())

    def pause(self) -> None:
        """Stop reading from the server, if it serves this session alone."""
        self._hub.pause()

    def resume(self) -> None:
        """Read on."""
        self._hub.resume()

    async def close(self) -> None:
        """End the conversation and, if it served this session alone, the process; waits for its end."""
        if not self.closed:
            self.closed = True
            await self._hub.leave(self)

    # For the hub

    @property
    def overrun(self) -> bool:
        """Whether as much waits to be heard as may wait."""
        return len(self._unheard) >= MAX_UNHEARD

    def deliver(self, message: Message) -> None:
        """Hand over what belongs to no call; keep it, within a bound, until somebody listens."""
        if self._listener is not None:
            self._listener(message)
        elif not self.overrun:
            self._unheard.append(message)
        else:
            self._log.warning("dropped a notification that nobody takes", method=message.method)

    def sink(self) -> OnMessage:
        """Return where the server's requests and log messages go: to the only call in flight, else aside."""
        if len(self.calls) == 1:
            (call,) = self.calls
            return call.on_message or self.deliver
        return self.deliver

    def find(self, id: bytes | None) -> Call | None:
        """Return the latest call in flight with the client's id, raw JSON."""
        wanted = None if id is None else key(id)
        return next((call for call, own in reversed(self.calls.items()) if own == wanted), None)

    def began(self, id: bytes, call: Call) -> None:
        """Note a call in flight."""
        self.calls[call] = key(id)

    def ended(self, call: Call) -> None:
        """Forget a call."""
        self.calls.pop(call, None)
