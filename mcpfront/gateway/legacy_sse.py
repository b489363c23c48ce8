"""HTTP+SSE: ``GET /<server>/sse`` opens the session's one stream, ``POST /<server>/message`` sends to it.

Source: MCP 2024-11-05, "HTTP with SSE". The endpoint event carries an absolute URL. When the stream ends,
so does the
session, and its process.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qsl

from twisted.internet.defer import Deferred

from mcpfront.authn.base import Principal
from mcpfront.errors import BadRequest, McpfrontError, to_jsonrpc
from mcpfront.gateway import dispatch
from mcpfront.gateway.alive import KeepAlive
from mcpfront.gateway.record import Record
from mcpfront.gateway.server import Server
from mcpfront.gateway.session import Session
from mcpfront.gateway.sessions import SessionTable
from mcpfront.listen.exchange import Exchange
from mcpfront.protocol import jsonrpc, mcp
from mcpfront.protocol.framing import sse_event
from mcpfront.protocol.jsonrpc import Kind, Message


class SseOutlet:
    """The one stream of an HTTP+SSE session, as a call sees it."""

    __slots__ = ("_session",)
    can_stream = True

    def __init__(self, session: Session) -> None:
        self._session = session

    def message(self, message: Message) -> None:
        """Send what comes before a response."""
        self._session.send(message.raw)


class LegacySse:
    """The handlers of the HTTP+SSE transport.

    Args:
        table: the sessions.
        alive: keeps streams alive.
        base_url: the public URL of the gateway, without a trailing slash.
        on_error: takes the failure of a call that should not have failed.

    Attributes:
        calls: those in flight.
    """

    def __init__(
        self, table: SessionTable, alive: KeepAlive, base_url: str, on_error: Callable[[object], object]
    ) -> None:
        self._table = table
        self._alive = alive
        self._base_url = base_url
        self._on_error = on_error
        self.calls: set[Deferred[None]] = set()

    async def get(self, server: Server, principal: Principal, exchange: Exchange, record: Record) -> None:
        """Open a session and its stream; returns when the client is gone."""
        mcp.require_stream(exchange.headers(b"accept"))
        record.rpc = "stream"
        session = self._table.create(principal, server, legacy=True)
        session.echoed = True
        stream = session.streams.new(replay=False)
        ended = stream.attach(exchange, [])
        url = f"{self._base_url}/{server.name}/message?sessionId={session.id}"
        stream.write(sse_event(url.encode(), b"endpoint"))
        session.add_listener(stream)
        try:
            await self._alive.until(stream, ended)
        finally:
            self._table.end(session)

    async def post(self, server: Server, principal: Principal, exchange: Exchange, record: Record) -> None:
        """Take one message; its answer, if it has one, goes onto the session's stream."""
        mcp.require_json(exchange.header(b"content-type"))
        record.jsonrpc = True
        session = self._table.find(_session_id(exchange.query), principal, server, legacy=True)
        message = jsonrpc.parse(exchange.body)
        record.rpc, record.id = message.method, message.id
        mcp.require_direction(message)
        if message.kind is Kind.REQUEST:
            self._begin(session, message, record)
        elif session.connection is not None:
            passing = (
                session.connection.respond if message.kind is Kind.RESPONSE else session.connection.notify
            )
            passing(message)
        exchange.respond(202, [], b"")

    def _begin(self, session: Session, message: Message, record: Record) -> None:
        outlet = SseOutlet(session)
        session.begin(outlet, len(message.raw))
        answer = Deferred.fromCoroutine(self._answer(session, message, outlet, record))
        self.calls.add(answer)
        record.answer = answer
        answer.addBoth(self._finish, answer, session, outlet)

    async def _answer(self, session: Session, message: Message, outlet: SseOutlet, record: Record) -> None:
        try:
            if message.method == mcp.INITIALIZE:
                answer, _ = await dispatch.initialize(session, message, record)
            else:
                answer = await dispatch.call(session, message, outlet, record)
        except McpfrontError as error:
            answer = to_jsonrpc(error, message.id)
        session.send(answer)

    def _finish(self, result: object, answer: Deferred[None], session: Session, outlet: SseOutlet) -> None:
        self.calls.discard(answer)
        session.end(outlet)
        if result is not None:
            self._on_error(result)


def _session_id(query: bytes) -> bytes:
    """Return the ``sessionId`` of a query.

    Raises:
        BadRequest: when there is none, or more than one.
    """
    try:
        pairs = parse_qsl(query, max_num_fields=20)
    except ValueError:  # too many fields, or characters that no id of ours has
        pairs = []
    found = [value for name, value in pairs if name.lower() == b"sessionid"]
    if len(found) != 1:
        raise BadRequest("POST to the URL that the stream's endpoint event gave you: it carries a sessionId")
    return found[0]
