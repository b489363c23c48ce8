"""The control plane's pages for machines: is it alive, is it ready; and the answer for every other path."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from klein import Klein
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from twisted.web.iweb import IRequest
from twisted.web.resource import IResource
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from mcpfront import __version__
from mcpfront.telemetry.logging import get_logger

_log = get_logger("control")


class Health:
    """Answer ``/health`` and ``/ready``, at the root and below the base path.

    Args:
        clock: measures the uptime.
        base_path: the path of the public URL, empty for the root.
        ready: tells why the gateway is not ready, empty when it is.
        started: the clock's time at which the gateway started, now when None; the pages may be made later.
    """

    def __init__(
        self, clock: IReactorTime, base_path: str, ready: Callable[[], str], started: float | None = None
    ) -> None:
        self._clock = clock
        self._ready = ready
        self._started = clock.seconds() if started is None else started
        self._prefixes = sorted({"", base_path.rstrip("/")})

    def resource(self) -> IResource:
        """Return the resource of the whole control plane."""
        app = Klein()
        for prefix in self._prefixes:
            app.route(f"{prefix}/health", methods=["GET", "HEAD"])(self._health)
            app.route(f"{prefix}/ready", methods=["GET", "HEAD"])(self._readiness)
        app.handle_errors(HTTPException)(_http_error)
        app.handle_errors(Exception)(_unexpected)
        resource: IResource = app.resource()
        return resource

    def _health(self, request: IRequest) -> bytes:
        uptime = round(self._clock.seconds() - self._started, 3)
        return _json(
            request, 200, {"status": "ok", "service": "mcpfront", "version": __version__, "uptime": uptime}
        )

    def _readiness(self, request: IRequest) -> bytes:
        reason = self._ready()
        if reason:
            return _json(request, 503, {"status": "unavailable", "message": reason})
        return _json(request, 200, {"status": "ready"})


def _http_error(request: IRequest, failure: Failure) -> bytes:
    error = failure.value
    if isinstance(error, MethodNotAllowed):
        request.setHeader(b"Allow", ", ".join(sorted(error.valid_methods or ())).encode())
        return _json(
            request, 405, {"error": "method_not_allowed", "message": "this path does not take that method"}
        )
    # What is left is no such path, or a path that the router would redirect to its tidy form.
    return _json(request, 404, {"error": "not_found", "message": "there is nothing at this path"})


def _unexpected(request: IRequest, failure: Failure) -> bytes:
    _log.error("a page failed", path=request.path, exception=failure.getTraceback())
    return _json(
        request, 500, {"error": "internal_server_error", "message": "the gateway failed; its log says more"}
    )


def _json(request: IRequest, status: int, body: dict[str, Any]) -> bytes:
    request.setResponseCode(status)
    request.setHeader(b"Content-Type", b"application/json")
    request.setHeader(b"Cache-Control", b"no-store")
    text = msgspec.json.encode(body)
    request.setHeader(b"Content-Length", b"%d" % len(text))
    return text
