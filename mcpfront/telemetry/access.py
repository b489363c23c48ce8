"""One log line per request: who asked which server for what, how it ended, how long and how much it was."""

from __future__ import annotations

from typing import Final, Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from mcpfront.listen.exchange import Exchange
from mcpfront.telemetry.logging import get_logger

MAX_NAME: Final = 128
"""Characters kept of names that a client chooses: methods of HTTP and JSON-RPC, tools."""

_SERVER_ERROR: Final = 500
_QUIET: Final = ("/health", "/ready")


class Facts(Protocol):
    """What the gateway found out about a request on its way.

    Attributes:
        user: the principal's subject, empty when nobody is known.
        server: the server's name.
        rpc: the JSON-RPC method.
        tool: the tool's name.
        error: the kind of error that the caller was told, empty when all went well.
    """

    user: str
    server: str
    rpc: str
    tool: str
    error: str


class AccessLog:
    """Write the line of each request; never a query, a token or an argument.

    Args:
        clock: the one that exchanges carry their start time from.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._log = get_logger("access")

    def write(self, exchange: Exchange, record: Facts) -> None:
        """Write the line of a request that is over; a client that left before an answer has status 0."""
        tell = self._log.warning if exchange.status >= _SERVER_ERROR else self._log.info
        optional = {"tool": _bounded(record.tool), "error": record.error, "gone": exchange.gone}
        tell(
            "request",
            id=exchange.id,
            user=record.user,
            server=record.server,
            http=exchange.method[:MAX_NAME],
            rpc=_bounded(record.rpc),
            status=exchange.status,
            ms=self._milliseconds(exchange.started),
            bytes_in=len(exchange.body),
            bytes_out=exchange.sent,
            peer=exchange.peer.host,
            **{key: value for key, value in optional.items() if value},
        )

    def failure(self, exchange: Exchange, record: Facts, failure: Failure) -> None:
        """Write an error of the gateway's own, with its traceback."""
        self._log.error(
            "a handler failed",
            id=exchange.id,
            server=record.server,
            rpc=_bounded(record.rpc),
            exception=failure.getTraceback(),
        )

    def control(self, method: bytes, path: bytes, status: int, sent: int, started: float) -> None:
        """Write the line of a request to the control plane; a healthy probe is told at debug level."""
        text = _bounded(path.decode("latin-1"))
        quiet = status < _SERVER_ERROR and text.endswith(_QUIET)
        tell = self._log.debug if quiet else self._log.info
        tell(
            "request",
            http=method[:MAX_NAME],
            path=text,
            status=status,
            ms=self._milliseconds(started),
            bytes_out=sent,
        )

    def _milliseconds(self, started: float) -> float:
        return round((self._clock.seconds() - started) * 1000, 1)


def _bounded(name: str) -> str:
    return name if len(name) <= MAX_NAME else name[:MAX_NAME] + "…"
