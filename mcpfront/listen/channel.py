"""One connection: what it may send, by when, and what it is told when it does not comply."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import connectionDone
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel, Request

from mcpfront.listen.head import head_problem, origin_form
from mcpfront.listen.limits import HttpLimits
from mcpfront.telemetry.logging import get_logger

if TYPE_CHECKING:
    from mcpfront.listen.web import GatewaySite

_REASONS: Final = {
    400: (b"Bad Request", "bad_request"),
    401: (b"Unauthorized", "unauthorized"),
    408: (b"Request Timeout", "request_timeout"),
    413: (b"Content Too Large", "content_too_large"),
    431: (b"Request Header Fields Too Large", "header_fields_too_large"),
    503: (b"Service Unavailable", "service_unavailable"),
}
_LINGERING: Final = frozenset({401, 413, 431, 503})
_log = get_logger("http")


class GatewayChannel(HTTPChannel):
    """An HTTP/1.1 connection with total deadlines, bounded heads and answers for what it refuses.

    Attributes:
        site: the site it belongs to.
        refused: whether a request was refused before it was complete; what follows is thrown away.
    """

    site: GatewaySite
    transport: Any
    refused = False

    def __init__(self) -> None:
        super().__init__()
        self._limits = HttpLimits()
        self._watched = ""
        self._in_body = False
        self._discarded = 0
        self._forcing: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """Begin to wait for the first request."""
        self._limits = limits = self.site.limits
        self.maxHeaders, self.totalHeadersSize = limits.headers, limits.head_bytes
        self.MAX_LENGTH = limits.line_bytes
        self.timeOut = None
        super().connectionMade()
        self.site.opened(self)
        self._watch("head")  # a connection that says nothing at first gets no longer than one that begins

    @property
    def idle(self) -> bool:
        """Whether no request is arriving or being answered."""
        return not self.requests and not self._buffer and not self.refused

    @property
    def congested(self) -> bool:
        """Whether the client still has to read what was written before."""
        return bool(self._waitingForTransport)

    def end_with_answer(self) -> None:
        """Let the answer being given be the last; a request still arriving finds that out by itself."""
        if self._handlingRequest:
            self.persistent = False

    def dataReceived(self, data: bytes) -> None:
        """Take bytes; unlike the base class, more bytes do not renew a deadline."""
        LineReceiver.dataReceived(self, data)
        if not self.refused:
            self._watch(self._stage())

    def allHeadersReceived(self) -> None:
        """Judge the head before any of the body is taken."""
        headers = self.requests[-1].requestHeaders
        problem = head_problem(self._path, self._version, headers)
        if problem:
            self.refuse(400, problem)
            return
        self._path = origin_form(self._path)
        self._in_body = True
        self._watch("body" if self.length != 0 else self._watched)
        super().allHeadersReceived()

    def headerReceived(self, line: bytes) -> bool:
        """Take one header; a length with more digits than a number may have is malformed."""
        try:
            return bool(super().headerReceived(line))
        except ValueError:
            self._respondToBadRequestAndDisconnect()
            return False

    def allContentReceived(self) -> None:
        """Hand over a complete request, unless it was refused on the way."""
        if self.refused:
            return
        self._in_body = False
        self._watch("")
        super().allContentReceived()

    def requestDone(self, request: Request) -> None:
        """Wait for the next request."""
        self._savedTimeOut = None
        super().requestDone(request)
        if self.persistent and not self.refused:
            self._watch(self._stage())

    def checkPersistence(self, request: Request, version: bytes) -> bool:
        """Tell whether the connection stays; none does while the gateway drains."""
        return bool(super().checkPersistence(request, version)) and not self.site.draining

    def rawDataReceived(self, data: bytes) -> None:
        """Take bytes of a body, or throw away the rest of a refused request."""
        if not self.refused:
            super().rawDataReceived(data)
            return
        self._discarded += len(data)
        if self._discarded > self._limits.linger_bytes:
            self.forceAbortClient()

    def lineLengthExceeded(self, line: bytes) -> None:  # noqa: ARG002 - told by the engine
        """Refuse a line of the head that is too long."""
        self.refuse(431, f"a line of the request's head is over {self._limits.line_bytes} bytes")

    def refuse(self, status: int, message: str, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        """Answer a request that is not complete, and close the connection.

        Args:
            status: 400, 401, 408, 413, 431 or 503.
            message: what is wrong and how to mend it.
            headers: what the answer carries besides.
        """
        if self.refused:
            return
        self.refused = True
        self._say(status, message, headers)
        self.clearLineBuffer()
        self.setRawMode()
        if status in _LINGERING:
            # Closing on unread bytes would reset the connection and take the answer with it.
            self._watch("linger")
        else:
            self.loseConnection()

    def timeoutConnection(self) -> None:
        """End what took too long: with an answer if a request had begun."""
        stage = self._stage()
        if self.refused or stage == "idle" or not (self.requests or self._buffer):
            self.loseConnection()
        else:
            self.refuse(408, f"the {stage} of the request did not arrive in time")

    def loseConnection(self) -> None:
        """Close in order, and by force if the client does not read what is left."""
        if self._watched == "closing":
            return
        self._watched = "closing"
        self.setTimeout(None)
        self._forcing = self.callLater(self._limits.close_timeout, self.forceAbortClient)
        super().loseConnection()

    def forceAbortClient(self) -> None:
        """Drop the connection at once."""
        self._cancel_forcing()
        self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell the requests and the site."""
        self._cancel_forcing()
        super().connectionLost(reason)
        self.site.closed(self)

    def resumeProducing(self) -> None:
        """Go on: the client has read what was written."""
        super().resumeProducing()
        if not self.congested:
            self.site.memory.caught_up(self)

    def _stage(self) -> str:
        if self._handlingRequest:
            return ""
        if self._in_body:
            return "body"
        return "head" if self.requests or self._buffer else "idle"

    def _watch(self, stage: str) -> None:
        """Set the deadline of a stage when it begins; ``""`` has none, since calls have their own."""
        if self._watched in (stage, "closing"):
            return
        self._watched = stage
        self.setTimeout(self._limit(stage))

    def _limit(self, stage: str) -> float | None:
        limits = self._limits
        return {
            "head": limits.header_timeout,
            "body": limits.body_timeout,
            "idle": limits.idle_timeout,
            "linger": limits.linger,
        }.get(stage)

    def _say(self, status: int, message: str, headers: Sequence[tuple[bytes, bytes]]) -> None:
        reason, code = _REASONS[status]
        request = self.requests[-1] if self.requests else None
        body = msgspec.json.encode({"error": code, "message": message})
        lines = [
            b"HTTP/1.1 %d %s" % (status, reason),
            b"Content-Type: application/json",
            b"Connection: close",
        ]
        lines += [b"%s: %s" % header for header in (*headers, *self.site.refusal_headers(request))]
        lines += [b"Content-Length: %d" % len(body), b"", body]
        self.transport.write(b"\r\n".join(lines))
        peer = getattr(self.transport.getPeer(), "host", "")
        _log.info("request refused", status=status, reason=message, peer=peer)

    def _send100Continue(self) -> None:
        if not self.refused:
            super()._send100Continue()

    def _respondToBadRequestAndDisconnect(self) -> None:
        limits = self._limits
        if self._receivedHeaderSize > limits.head_bytes:
            self.refuse(431, f"the head of the request is over {limits.head_bytes} bytes")
        elif self._receivedHeaderCount > limits.headers:
            self.refuse(431, f"the request has more than {limits.headers} headers")
        else:
            self.refuse(400, "the request is not well-formed HTTP/1.1")

    def _cancel_forcing(self) -> None:
        call, self._forcing = self._forcing, None
        if call is not None and call.active():
            call.cancel()
