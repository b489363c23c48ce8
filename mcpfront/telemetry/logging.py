"""Log lines: structlog on stderr, and Twisted's own events through the same door."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping, MutableMapping
from typing import IO, Any, Final

import structlog
from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent
from zope.interface import implementer

from mcpfront.telemetry.render import Render, Timestamp, to_json, to_logfmt
from mcpfront.telemetry.sink import Sink

_LEVELS: Final = {
    "error": logging.ERROR,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "info": logging.INFO,
    "debug": logging.DEBUG,
    "trace": logging.NOTSET,
}
_NAMES: Final = {"critical": "error", "exception": "error", "warn": "warning"}


class _Output:
    """What every logger shares; exchanged in place, so that loggers made before ``configure`` follow it."""

    def __init__(self) -> None:
        self.sink: Sink | None = None
        self.render: Render = to_logfmt
        self.time = Timestamp()
        self.configured = False

    def write(self, event: Mapping[str, Any]) -> None:
        sink = self._open()
        if sink.dropped and (dropped := sink.take_dropped()):
            lost = {
                "time": self.time(),
                "level": "warning",
                "component": "logging",
                "msg": "log lines were dropped",
            }
            sink.write(self.render({**lost, "dropped": dropped}))
        sink.write(self.render(event))

    def _open(self) -> Sink:
        if self.sink is None:
            self.sink = Sink(sys.__stderr__ or sys.stderr)
        return self.sink


_OUTPUT: Final = _Output()


class _Printer:
    """The logger that structlog wraps: takes the finished event."""

    def msg(self, event: Mapping[str, Any]) -> None:
        _OUTPUT.write(event)

    log = debug = info = warning = error = critical = exception = fatal = warn = failure = msg


def get_logger(component: str) -> Any:
    """Return a logger whose lines carry ``component``; use it as ``log.info("event words", key=value)``."""
    return structlog.get_logger(component=component)


def configure(environ: Mapping[str, str], stream: IO[str] | None = None) -> None:
    """Set level, form and destination of every log line.

    Args:
        environ: ``LOG_LEVEL`` (error, warn, warning, info, debug or trace; anything else is info) and
            ``LOG_FORMAT`` (``json``; anything else is logfmt text).
        stream: where lines go; the standard error stream of the process when None.
    """
    level = _LEVELS.get(environ.get("LOG_LEVEL", "").strip().lower(), logging.INFO)
    _OUTPUT.render = to_json if environ.get("LOG_FORMAT", "").strip().lower() == "json" else to_logfmt
    _OUTPUT.sink = None if stream is None else Sink(stream)
    _OUTPUT.configured = True
    _setup(level)


def observer() -> ILogObserver:
    """Make the observer for ``twistd --logger=mcpfront.telemetry.logging.observer``.

    Configures from the environment, unless that was done before.
    """
    if not _OUTPUT.configured:
        configure(os.environ)
    return TwistedObserver()


@implementer(ILogObserver)
class TwistedObserver:
    """Send Twisted's own events through structlog: failures with traceback, small talk at debug level."""

    def __init__(self) -> None:
        self._log = get_logger("twisted")

    def __call__(self, event: LogEvent) -> None:
        """Take one event; whatever is wrong with it, logging it must not fail."""
        try:
            self._tell(event)
        except Exception:  # noqa: BLE001 - an observer that raises is called again with its own failure
            self._log.error("an event could not be logged")

    def _tell(self, event: LogEvent) -> None:
        level = event.get("log_level", LogLevel.info)
        failure = event.get("log_failure")
        text = formatEvent(event)
        if failure is not None:
            traceback = failure.getTraceback()
            self._log.error(text or "unhandled error", source=event.get("log_namespace"), exception=traceback)
        elif level in (LogLevel.error, LogLevel.critical):
            self._log.error(text, source=event.get("log_namespace"))
        elif level is LogLevel.warn:
            self._log.warning(text, source=event.get("log_namespace"))
        else:
            self._log.debug(text, source=event.get("log_namespace"))


def _finish(
    _logger: Any, method: str, event: MutableMapping[str, Any]
) -> tuple[tuple[Mapping[str, Any]], Any]:
    """Put an event into its final order: the only processor, so that a line costs one pass."""
    if event.get("exc_info"):
        event = structlog.processors.format_exc_info(_logger, method, event)
    head = {
        "time": _OUTPUT.time(),
        "level": _NAMES.get(method, method),
        "component": event.pop("component", ""),
    }
    head["msg"] = event.pop("event", "")
    event.pop("exc_info", None)
    return ({**head, **event},), {}


_PROCESSORS: Final[list[Any]] = [_finish]


def _setup(level: int) -> None:
    structlog.configure(
        processors=_PROCESSORS,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_args: _Printer(),
        cache_logger_on_first_use=True,
    )


_setup(logging.INFO)
