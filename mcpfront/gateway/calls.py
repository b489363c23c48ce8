"""Where the answer to one POST goes: plain JSON, or an event stream once something comes before the answer.

Source: MCP 2025-03-26 to 2025-11-25, Streamable HTTP, "Sending Messages to the Server".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from mcpfront.errors import McpfrontError, to_jsonrpc
from mcpfront.gateway.record import Record
from mcpfront.gateway.session import Session
from mcpfront.gateway.streams import EventStream
from mcpfront.listen.exchange import Exchange, HeaderList
from mcpfront.protocol import mcp
from mcpfront.protocol.jsonrpc import Message

JSON: Final = (b"content-type", b"application/json")
PATIENCE: Final = 10.0
"""Seconds after which a call without an answer becomes a stream, so that no proxy on the way cuts it off."""


class CallOutlet:
    """The answer to one POST.

    Args:
        session: the session that the POST belongs to.
        exchange: the POST.
        accepts: what the client takes.
        headers: headers of the answer.
        clock: the time in seconds.
        expected: how many responses the POST waits for: one, or as many requests as its batch has.
    """

    __slots__ = (
        "_accepts",
        "_batch",
        "_born",
        "_clock",
        "_exchange",
        "_expected",
        "_headers",
        "_responses",
        "_session",
        "_stream",
    )

    def __init__(
        self,
        session: Session,
        exchange: Exchange,
        accepts: mcp.Accepts,
        headers: HeaderList,
        clock: Callable[[], float],
        expected: int | None = None,
    ) -> None:
        self._session = session
        self._exchange = exchange
        self._accepts = accepts
        self._headers = headers
        self._clock = clock
        self._born = clock()
        self._batch = expected is not None
        self._expected = expected or 1
        self._responses: list[bytes] | None = None
        self._stream: EventStream | None = None

    @property
    def can_stream(self) -> bool:
        """Whether messages can come before the answer."""
        return self._accepts.stream and (self._stream is not None or not self._exchange.gone)

    def message(self, message: Message) -> None:
        """Send what comes before the answer; a client that takes only JSON gets it on its other stream."""
        if self.can_stream:
            self._open().send(message.raw)
        else:
            self._session.deliver_aside(message)

    def respond(self, response: bytes) -> None:
        """Send a response; the last one ends the answer."""
        self._expected -= 1
        if self._stream is not None or self._streams_anyway():
            stream = self._open()
            stream.send(response)
            if self._expected == 0:
                stream.finish()
        elif self._batch:
            self._collect(response)
        else:
            self._exchange.respond(200, [JSON, *self._headers], response)

    def fail(self, error: McpfrontError, record: Record) -> None:
        """Answer with an error on the stream that was begun.

        Raises:
            McpfrontError: the same, when none was begun and HTTP can still tell it.
        """
        if self._stream is None:
            raise error
        record.failed(error)
        self.respond(to_jsonrpc(error, record.id))

    def close(self) -> None:
        """End a stream that was begun and not answered."""
        if self._stream is not None and not self._stream.ended:
            self._stream.finish()

    def keep_alive(self) -> None:
        """Become a stream when the answer takes long; keep the stream alive."""
        if self._stream is not None:
            self._stream.keep_alive()
        elif self.can_stream and self._clock() - self._born > PATIENCE:
            self._open().keep_alive()

    def _streams_anyway(self) -> bool:
        """Tell whether the client wants a stream even for an answer that comes first."""
        return not self._accepts.json or (self._accepts.stream_first and self.can_stream)

    def _open(self) -> EventStream:
        if self._stream is None:
            self._stream = self._session.streams.new()
            if not self._exchange.gone:
                self._stream.attach(self._exchange, self._headers)
            if self._session.revision >= mcp.POLLING:
                self._stream.prime()
            for response in self._responses or ():
                self._stream.send(response)
        return self._stream

    def _collect(self, response: bytes) -> None:
        if self._responses is None:
            self._responses = []
        self._responses.append(response)
        if self._expected == 0:
            self._exchange.respond(200, [JSON, *self._headers], b"[" + b",".join(self._responses) + b"]")
