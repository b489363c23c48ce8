"""The exchange over a request of Twisted's HTTP engine: answers in one piece or as a stream."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from zope.interface import implementer

from mcpfront.listen.exchange import HeaderList, Peer, Stream, StreamListener
from mcpfront.listen.limits import HttpLimits
from mcpfront.listen.request_id import request_id
from mcpfront.telemetry.logging import get_logger

if TYPE_CHECKING:
    from mcpfront.listen.web import GatewayRequest

_NO_CONTENT: Final = frozenset({204, 304})
_log = get_logger("http")


class WebExchange:
    """One request of the engine, as the data plane sees it.

    Args:
        request: the engine's request, complete.
        query: the raw query.
        body: the whole body.
        peer: who is at the other end.
        clock: for the times of its streams.
        limits: for the bounds of its streams.
    """

    def __init__(
        self,
        request: GatewayRequest,
        query: bytes,
        body: bytes,
        peer: Peer,
        clock: IReactorTime,
        limits: HttpLimits,
    ) -> None:
        self.id = request_id(request.requestHeaders.getRawHeaders(b"x-request-id"))
        self.method: bytes = request.method
        self.path: bytes = request.path
        self.query = query
        self.body = body
        self.peer = peer
        self.gone = False
        self.started: float = request.started
        self.status = 0
        self.sent = 0
        self._request = request
        self._clock = clock
        self._limits = limits
        self._stream: WebStream | None = None
        self._when_gone: list[Callable[[], object]] = []

    def header(self, name: bytes) -> bytes | None:
        """Return the first value of a header."""
        values = self._request.requestHeaders.getRawHeaders(name)
        return values[0] if values else None

    def headers(self, name: bytes) -> list[bytes]:
        """Return all values of a header, one for each line."""
        return list(self._request.requestHeaders.getRawHeaders(name, ()))

    def add_header(self, name: bytes, value: bytes) -> None:
        """Add a header that the answer will carry."""
        self._request.responseHeaders.addRawHeader(name, value)

    def respond(self, status: int, headers: HeaderList, body: bytes) -> None:
        """Answer in one piece."""
        if not self._begin(status, headers):
            return
        if status not in _NO_CONTENT:
            self.add_header(b"Content-Length", b"%d" % len(body))
        self.sent = len(body)
        self._request.write(body)
        self.end()

    def stream(self, status: int, headers: HeaderList, listener: StreamListener) -> Stream:
        """Send the head of an answer and return the stream that takes the rest."""
        stream = WebStream(self, self._request, listener, self._clock, self._limits)
        if self._begin(status, headers):
            self._stream = stream
            self._request.write(b"")
            stream.begin()
        return stream

    def when_gone(self, callback: Callable[[], object]) -> None:
        """Call back once if the client leaves before the answer is complete; at once if it has left."""
        if self.gone:
            callback()
        elif not self._request.finished:
            self._when_gone.append(callback)

    def lost(self) -> None:
        """Take note that the connection is lost before the answer was complete."""
        self.gone = True
        waiting = self._take_waiting()
        stream, self._stream = self._stream, None
        if stream is not None:
            waiting.insert(0, stream.lost)
        for callback in waiting:
            try:
                callback()
            except Exception:  # noqa: BLE001 - one listener's fault must not keep the others in the dark
                _log.exception("a listener for lost clients failed")

    def end(self) -> None:
        """End the answer in order: nobody will be told of a client that leaves now."""
        self._take_waiting()
        self._request.finish()
        # cycles would keep the body until the garbage collector comes
        self._request.exchange = self._stream = None

    def drop(self) -> None:
        """Drop the connection for a reason of the writer's own."""
        self._take_waiting()
        self._stream = None
        self._request.abort()

    def _begin(self, status: int, headers: HeaderList) -> bool:
        if self.gone:
            return False
        if self.status:
            raise RuntimeError("an exchange is answered exactly once")
        self.status = status
        self._request.begin(status)
        self.add_header(b"X-Request-Id", self.id.encode())
        for name, value in headers:
            self.add_header(name, value)
        return True

    def _take_waiting(self) -> list[Callable[[], object]]:
        waiting, self._when_gone = self._when_gone, []
        return waiting


@implementer(IPushProducer)
class WebStream:
    """An answer written bit by bit, which tells its writer when the client reads too slowly.

    A client that reads nothing for ``stall_timeout``, or for whom more than ``stream_buffer`` was written
    while it was paused, is dropped.
    """

    def __init__(
        self,
        exchange: WebExchange,
        request: GatewayRequest,
        listener: StreamListener,
        clock: IReactorTime,
        limits: HttpLimits,
    ) -> None:
        self._exchange = exchange
        self._request = request
        self._listener = listener
        self._clock = clock
        self._limits = limits
        self._over = exchange.gone
        self._paused = self._told = self._given_up = False
        self._held = 0
        self._stall: IDelayedCall | None = None
        self._telling: IDelayedCall | None = None

    def begin(self) -> None:
        """Ask the engine to be told of back-pressure."""
        self._request.registerProducer(self, streaming=True)
        if self._request.congested:
            self.pauseProducing()

    def write(self, data: bytes) -> None:
        """Send bytes."""
        if self._over or self._given_up or not data:
            return
        if self._paused:
            if self._held > self._limits.stream_buffer:
                self._give_up("the client reads too slowly for the stream's buffer")
                return
            self._held += len(data)
        self._exchange.sent += len(data)
        self._request.write(data)

    def finish(self) -> None:
        """End the answer in order."""
        if not self._over:
            self._close()
            self._request.unregisterProducer()
            self._exchange.end()

    def abort(self) -> None:
        """Drop the connection at once; the listener is not told, since its owner did it."""
        if not self._over:
            self._close()
            self._exchange.drop()

    def lost(self) -> None:
        """Take note that the client has left."""
        if not self._over:
            self._close()
            self._listener.stream_gone()

    def pauseProducing(self) -> None:
        """Take the engine's word that its buffer is full."""
        if self._over or self._paused:
            return
        self._paused, self._held = True, 0
        self._stall = self._clock.callLater(
            self._limits.stall_timeout, self._give_up, "the client has read nothing for too long"
        )
        self._tell_later()

    def resumeProducing(self) -> None:
        """Take the engine's word that its buffer is empty."""
        if self._over or not self._paused:
            return
        self._paused = False
        self._cancel_stall()
        self._tell_later()

    def stopProducing(self) -> None:
        """Take the engine's word that the connection is lost; ``lost`` follows and does the work."""

    def _tell_later(self) -> None:
        # The engine pauses from inside write; listeners are promised to be called from outside of it.
        if self._telling is None:
            self._telling = self._clock.callLater(0, self._tell)

    def _tell(self) -> None:
        self._telling = None
        if self._told == self._paused:
            return
        self._told = self._paused
        if self._paused:
            self._listener.stream_paused()
        else:
            self._listener.stream_resumed()

    def _give_up(self, reason: str) -> None:
        self._given_up = True
        self._cancel_stall()
        _log.warning("stream dropped", reason=reason, peer=self._exchange.peer.host, sent=self._exchange.sent)
        self._request.abort()

    def _close(self) -> None:
        self._over = True
        self._cancel_stall()
        telling, self._telling = self._telling, None
        if telling is not None:
            telling.cancel()

    def _cancel_stall(self) -> None:
        stall, self._stall = self._stall, None
        if stall is not None and stall.active():
            stall.cancel()
