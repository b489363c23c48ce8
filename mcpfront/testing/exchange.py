"""An exchange in memory: handlers of the data plane are tested with it, without sockets."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mcpfront.listen.exchange import HeaderList, Peer, Stream, StreamListener

_LOCAL = Peer("127.0.0.1", 40000)


class MemoryStream:
    """A stream that keeps what is written to it; the test plays the client.

    Attributes:
        data: the bytes written so far.
        finished: whether the writer ended it in order.
        aborted: whether the writer dropped it.
        paused: whether the client is reading too slowly.
    """

    def __init__(self, exchange: MemoryExchange, listener: StreamListener) -> None:
        self.data = b""
        self.finished = False
        self.aborted = False
        self.paused = False
        self._exchange = exchange
        self._listener = listener

    def write(self, data: bytes) -> None:
        """Keep bytes; ignored once the stream has ended or the client has gone."""
        if self._over:
            return
        self.data += data
        self._exchange.sent += len(data)

    def finish(self) -> None:
        """End the answer in order."""
        if not self._over:
            self.finished = True
            self._exchange.complete()

    def abort(self) -> None:
        """Drop the connection; the listener is not told, since its owner did it."""
        if not self._over:
            self.aborted = True
            self._exchange.complete()

    def pause(self) -> None:
        """Play a client that reads slower than it is written to."""
        if not self._over and not self.paused:
            self.paused = True
            self._listener.stream_paused()

    def resume(self) -> None:
        """Play a client that has caught up."""
        if not self._over and self.paused:
            self.paused = False
            self._listener.stream_resumed()

    def leave(self) -> None:
        """Play a client that closes the connection."""
        if not self._over:
            self._exchange.leave()

    def gone(self) -> None:
        """Take the exchange's word that the client has left."""
        self._listener.stream_gone()

    @property
    def _over(self) -> bool:
        return self.finished or self.aborted or self._exchange.gone


class MemoryExchange:
    """A request in memory and what was answered to it.

    Args:
        method: the HTTP method.
        path: the raw path.
        query: the raw query.
        headers: the request's headers, names in any case; a list of values for one that comes several times.
        body: the whole body.
        peer: who is at the other end.
        started: the reactor's time at which the head was complete.

    Attributes:
        response_status: the status that was answered, 0 before.
        response_headers: the last value of each header of the answer, names in lower case.
        response_header_list: every header of the answer in order, names in lower case.
        response_body: the body of an answer in one piece.
        streams: the streams that were opened, at most one.
    """

    def __init__(
        self,
        method: bytes = b"POST",
        path: bytes = b"/x/mcp",
        query: bytes = b"",
        headers: Mapping[bytes, bytes | list[bytes]] | None = None,
        body: bytes = b"",
        *,
        peer: Peer = _LOCAL,
        started: float = 0.0,
    ) -> None:
        self.id = "request-1"
        self.method, self.path, self.query, self.body = method, path, query, body
        self.peer = peer
        self.gone = False
        self.started = started
        self.status = self.sent = self.response_status = 0
        self.response_headers: dict[bytes, bytes] = {}
        self.response_header_list: HeaderList = []
        self.response_body = b""
        self.streams: list[MemoryStream] = []
        self._headers = {name.lower(): _values(value) for name, value in (headers or {}).items()}
        self._added: HeaderList = []
        self._when_gone: list[Callable[[], object]] = []
        self._complete = False

    def header(self, name: bytes) -> bytes | None:
        """Return the first value of a header."""
        values = self._headers.get(name)
        return values[0] if values else None

    def headers(self, name: bytes) -> list[bytes]:
        """Return all values of a header."""
        return list(self._headers.get(name, ()))

    def add_header(self, name: bytes, value: bytes) -> None:
        """Add a header that the answer will carry."""
        self._added.append((name, value))

    def respond(self, status: int, headers: HeaderList, body: bytes) -> None:
        """Keep the answer; an answer to a client that has left is dropped."""
        if self._begin(status, headers):
            self.response_body = body
            self.sent = len(body)
            self.complete()

    def stream(self, status: int, headers: HeaderList, listener: StreamListener) -> Stream:
        """Open a stream that keeps what is written."""
        stream = MemoryStream(self, listener)
        if self._begin(status, headers):
            self.streams.append(stream)
        return stream

    def when_gone(self, callback: Callable[[], object]) -> None:
        """Call back once if the client leaves before the answer is complete; at once if it has left."""
        if self.gone:
            callback()
        elif not self._complete:
            self._when_gone.append(callback)

    def leave(self) -> None:
        """Play a client that closes the connection before the answer is complete."""
        if self.gone or self._complete:
            return
        self.gone = True
        for stream in self.streams:
            stream.gone()
        waiting, self._when_gone = self._when_gone, []
        for callback in waiting:
            callback()

    def complete(self) -> None:
        """Take note that the answer is complete: nobody will be told of a client that leaves now."""
        self._complete = True
        self._when_gone.clear()

    @property
    def answered(self) -> bool:
        """Whether an answer was begun."""
        return self.response_status != 0

    def _begin(self, status: int, headers: HeaderList) -> bool:
        if self.gone:
            return False
        if self.answered:
            raise AssertionError("an exchange is answered exactly once")
        self.status = self.response_status = status
        self.response_header_list = [(name.lower(), value) for name, value in (*self._added, *headers)]
        self.response_headers = dict(self.response_header_list)
        return True


def _values(value: bytes | list[bytes]) -> list[bytes]:
    return list(value) if isinstance(value, list) else [value]
