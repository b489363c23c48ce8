"""The one coroutine that knows the order: Host and Origin, route, caller, transport, answer, log line."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol

from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.python.failure import Failure

from mcpfront.authn.base import Principal
from mcpfront.errors import McpfrontError, MethodNotAllowed, Unavailable, to_json, to_jsonrpc
from mcpfront.gateway.calls import JSON
from mcpfront.gateway.legacy_sse import LegacySse
from mcpfront.gateway.record import Record
from mcpfront.gateway.router import Leaf, Route
from mcpfront.gateway.server import Server
from mcpfront.gateway.streamable import SESSION_HEADER, Streamable
from mcpfront.listen.exchange import Exchange

ALLOW: Final = {Leaf.MCP: b"GET, POST, DELETE, OPTIONS", Leaf.SSE: b"GET, POST, DELETE, OPTIONS",
                Leaf.MESSAGE: b"POST, OPTIONS"}  # fmt: skip


Handler = Callable[[Server, Principal, Exchange, Record], Coroutine[Deferred[Any], Any, None]]


class Guard(Protocol):
    """Host and Origin."""

    def check(self, exchange: Exchange) -> None:
        """Refuse a foreign Host or Origin with Forbidden; add the CORS headers otherwise."""

    def preflight(self, exchange: Exchange) -> bool:
        """Answer a CORS preflight; tell whether it was one."""


class AccessLog(Protocol):
    """One line per request."""

    def write(self, exchange: Exchange, record: Record) -> None:
        """Write the line of a request that is over."""

    def failure(self, exchange: Exchange, record: Record, failure: Failure) -> None:
        """Write an error of our own, with its traceback."""


class Endpoint:
    """The data plane: every request to a configured server passes here.

    Args:
        routes: see :func:`mcpfront.gateway.router.routes`.
        guard: Host, Origin and CORS.
        streamable: the handlers of Streamable HTTP.
        legacy: the handlers of HTTP+SSE.
        access: the log.
    """

    def __init__(
        self,
        routes: dict[bytes, Route],
        guard: Guard,
        streamable: Streamable,
        legacy: LegacySse,
        access: AccessLog,
    ) -> None:
        self._routes = routes
        self._guard = guard
        self._streamable = streamable
        self._legacy = legacy
        self._access = access
        self._calls: set[Deferred[None]] = set()
        self.draining = False

    def handle(self, exchange: Exchange) -> bool:
        """Serve an exchange if its path belongs to a configured server; tell whether it does."""
        route = self._routes.get(exchange.path)
        if route is None:
            return False
        record = Record(route.server.name)
        served = Deferred.fromCoroutine(self._serve(exchange, route, record))
        if not served.called:
            if exchange.method == b"POST":
                self._calls.add(served)
            exchange.when_gone(lambda: self._client_left(served, record))
        served.addBoth(self._over, served, exchange, record)
        return True

    async def drain(self) -> None:
        """Take no more calls; return when those in flight have ended."""
        self.draining = True
        await DeferredList([*self._calls, *self._legacy.calls])

    async def _serve(self, exchange: Exchange, route: Route, record: Record) -> None:
        try:
            self._guard.check(exchange)
            if exchange.method == b"OPTIONS":
                self._options(exchange, route)
                return
            if self.draining:
                raise Unavailable("the gateway is shutting down", headers=((b"retry-after", b"5"),))
            principal = route.server.authenticator.authenticate(exchange)
            record.user = principal.subject
            await self._transport(exchange, route)(route.server, principal, exchange, record)
        except McpfrontError as error:
            record.failed(error)
            _render(exchange, record, error)

    def _options(self, exchange: Exchange, route: Route) -> None:
        if not self._guard.preflight(exchange):
            exchange.respond(204, [(b"allow", ALLOW[route.leaf])], b"")

    def _transport(self, exchange: Exchange, route: Route) -> Handler:
        """Choose the transport: people paste either URL, so ``/sse`` takes Streamable HTTP too."""
        method, leaf = exchange.method, route.leaf
        if method == b"POST":
            return self._legacy.post if leaf is Leaf.MESSAGE else self._streamable.post
        if method == b"GET" and leaf is not Leaf.MESSAGE:
            legacy = leaf is Leaf.SSE and exchange.header(SESSION_HEADER) is None
            return self._legacy.get if legacy else self._streamable.get
        if method == b"DELETE" and leaf is not Leaf.MESSAGE:
            return self._streamable.delete
        allow = ALLOW[leaf]
        raise MethodNotAllowed(f"this URL takes {allow.decode()}", headers=((b"allow", allow),))

    def _client_left(self, served: Deferred[None], record: Record) -> None:
        if record.cancellable:
            served.cancel()

    def _over(self, result: object, served: Deferred[None], exchange: Exchange, record: Record) -> None:
        self._calls.discard(served)
        if isinstance(result, Failure) and not result.check(CancelledError):
            self._access.failure(exchange, record, result)
            _render(exchange, record, McpfrontError("the gateway failed; its log says more"))
        if record.answer is None:
            self._access.write(exchange, record)
        else:
            record.answer.addBoth(lambda _: self._access.write(exchange, record))


def _render(exchange: Exchange, record: Record, error: McpfrontError) -> None:
    """Answer with an error in the surface's own form, if nothing was answered before."""
    if exchange.status:
        return
    body = to_jsonrpc(error, record.id or getattr(error, "id", None)) if record.jsonrpc else to_json(error)
    exchange.respond(error.status, [JSON, *error.headers], body)
