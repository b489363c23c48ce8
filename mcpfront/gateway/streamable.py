"""Streamable HTTP: POST, GET and DELETE on ``/<server>/mcp``.

Source: MCP 2025-03-26, 2025-06-18 and 2025-11-25, "Streamable HTTP". JSON or event stream is decided per
answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec
from twisted.internet.defer import Deferred, FirstError, gatherResults

from mcpfront.authn.base import Principal
from mcpfront.errors import BadRequest, InvalidMessage, McpfrontError, NotFound, to_jsonrpc
from mcpfront.gateway import dispatch
from mcpfront.gateway.alive import KeepAlive
from mcpfront.gateway.calls import CallOutlet
from mcpfront.gateway.record import Record
from mcpfront.gateway.server import Server
from mcpfront.gateway.session import Session
from mcpfront.gateway.sessions import SessionTable
from mcpfront.gateway.streams import parse_event_id
from mcpfront.listen.exchange import Exchange, HeaderList
from mcpfront.protocol import jsonrpc, mcp
from mcpfront.protocol.jsonrpc import Kind, Message

SESSION_HEADER: Final = b"mcp-session-id"
VERSION_HEADER: Final = b"mcp-protocol-version"
MAX_BATCH: Final = 100


@dataclass(frozen=True, slots=True)
class Post:
    """One POST on its way through the handlers.

    Attributes:
        server: whom it is for.
        principal: who sends it.
        exchange: the request and the means to answer it.
        record: what the log line will say.
        accepts: what the client takes.
        revision: what ``MCP-Protocol-Version`` names, None when it is absent.
        session_id: what ``Mcp-Session-Id`` names, None when it is absent.
    """

    server: Server
    principal: Principal
    exchange: Exchange
    record: Record
    accepts: mcp.Accepts
    revision: str | None
    session_id: bytes | None


class Streamable:
    """The handlers of the Streamable HTTP transport.

    Args:
        table: the sessions.
        alive: keeps streams alive.
        clock: the time in seconds.
    """

    def __init__(self, table: SessionTable, alive: KeepAlive, clock: Callable[[], float]) -> None:
        self._table = table
        self._alive = alive
        self._clock = clock

    async def post(self, server: Server, principal: Principal, exchange: Exchange, record: Record) -> None:
        """Take one message or batch of a client.

        Raises:
            McpfrontError: for the endpoint to render.
        """
        mcp.require_json(exchange.header(b"content-type"))
        accepts = mcp.accepts(exchange.headers(b"accept"))
        record.jsonrpc = True
        parsed = jsonrpc.parse_body(exchange.body)
        if not isinstance(parsed, list):
            record.rpc, record.id = parsed.method, parsed.id
            mcp.require_direction(parsed)
        revision = mcp.require_version(exchange.headers(VERSION_HEADER))
        post = Post(server, principal, exchange, record, accepts, revision, _session_id(exchange))
        if isinstance(parsed, list):
            await self._batch(post, parsed)
            return
        if parsed.kind is not Kind.REQUEST:
            self._one_way(self._known(post), parsed)
            exchange.respond(202, [], b"")
        elif parsed.method == mcp.INITIALIZE:
            await self._initialize(post, parsed)
        else:
            await self._request(post, parsed)

    async def get(self, server: Server, principal: Principal, exchange: Exchange, record: Record) -> None:
        """Open or resume a stream for what the server sends by itself; returns when the client is gone."""
        record.rpc = "stream"
        mcp.require_stream(exchange.headers(b"accept"))
        mcp.require_version(exchange.headers(VERSION_HEADER))
        session = self._session_of(server, principal, exchange)
        last = exchange.header(b"last-event-id")
        if last is None:
            await self._listen(session, exchange)
        else:
            await self._resume(session, exchange, last)

    async def delete(self, server: Server, principal: Principal, exchange: Exchange, record: Record) -> None:
        """End a session at its client's wish."""
        record.rpc = "end"
        session = self._session_of(server, principal, exchange)
        self._table.end(session)
        exchange.respond(204, [], b"")

    # POST

    async def _initialize(self, post: Post, message: Message) -> None:
        post.record.cancellable = True
        session = self._table.create(post.principal, post.server)
        headers: HeaderList = [(SESSION_HEADER, session.id.encode())]
        outlet = self._outlet(session, post, headers)
        lives = False
        try:
            answer, lives = await dispatch.initialize(session, message, post.record)
            if not lives:
                headers.clear()
            outlet.respond(answer)
        except McpfrontError as error:
            outlet.fail(error, post.record)
        finally:
            self._done(session, outlet)
            if not lives:
                self._table.end(session)

    async def _request(self, post: Post, message: Message) -> None:
        post.record.cancellable = post.session_id is None
        session = self._session_for(post)
        outlet = self._outlet(session, post, [])
        try:
            outlet.respond(await dispatch.call(session, message, outlet, post.record, post.revision))
        except McpfrontError as error:
            outlet.fail(error, post.record)
        finally:
            self._done(session, outlet)
            self._end_if_nobodys(session, post)

    def _one_way(self, session: Session | None, message: Message) -> None:
        """Pass on what has no answer; without a session there is nobody to pass it to."""
        if session is None or session.connection is None:
            return
        if message.kind is Kind.RESPONSE:
            session.connection.respond(message)
        else:
            session.connection.notify(message)
        session.last_used = self._clock()

    async def _batch(self, post: Post, parts: list[msgspec.Raw]) -> None:
        post.record.rpc = "batch"
        post.record.cancellable = post.session_id is None
        known = self._known(post)
        messages = _members(parts, (known.revision if known is not None else "") or post.revision)
        answered = [m for m in messages if isinstance(m, bytes) or m.kind is Kind.REQUEST]
        one_way = [m for m in messages if isinstance(m, Message) and m.kind is not Kind.REQUEST]
        for message in one_way:
            self._one_way(known, message)
        if not answered:
            post.exchange.respond(202, [], b"")
            return
        session = self._session_for(post)
        outlet = self._outlet(session, post, [], len(answered))
        try:
            answers = [Deferred.fromCoroutine(self._answer(session, m, outlet, post)) for m in answered]
            await gatherResults(answers, consumeErrors=True)
        except FirstError as error:
            error.subFailure.raiseException()
        finally:
            self._done(session, outlet)
            self._end_if_nobodys(session, post)

    async def _answer(
        self, session: Session, message: Message | bytes, outlet: CallOutlet, post: Post
    ) -> None:
        if isinstance(message, bytes):
            outlet.respond(message)
            return
        try:
            answer = await dispatch.call(session, message, outlet, post.record, mcp.BATCHES)
        except McpfrontError as error:
            answer = to_jsonrpc(error, message.id)
        outlet.respond(answer)

    # Sessions

    def _session_of(self, server: Server, principal: Principal, exchange: Exchange) -> Session:
        id = _session_id(exchange)  # noqa: A001
        if id is None:
            raise BadRequest("send the Mcp-Session-Id that initialize gave you")
        return self._table.find(id, principal, server)

    def _known(self, post: Post) -> Session | None:
        """Return the session of a message that opens none: by its id, or else the caller's unclaimed one."""
        if post.session_id is not None:
            return self._table.find(post.session_id, post.principal, post.server)
        return self._table.unclaimed(post.principal, post.server)

    def _session_for(self, post: Post) -> Session:
        return self._known(post) or self._table.create(post.principal, post.server)

    def _end_if_nobodys(self, session: Session, post: Post) -> None:
        """End the session of a caller whom nobody can recognise when the next request comes."""
        if post.session_id is None and not post.principal.identified:
            self._table.end(session)

    def _outlet(
        self, session: Session, post: Post, headers: HeaderList, expected: int | None = None
    ) -> CallOutlet:
        outlet = CallOutlet(session, post.exchange, post.accepts, headers, self._clock, expected)
        session.begin(outlet, len(post.exchange.body))
        self._alive.add(outlet)
        return outlet

    def _done(self, session: Session, outlet: CallOutlet) -> None:
        self._alive.discard(outlet)
        outlet.close()
        session.end(outlet)

    # GET

    async def _listen(self, session: Session, exchange: Exchange) -> None:
        stream = session.streams.new()
        ended = stream.attach(exchange, [])
        if session.revision >= mcp.POLLING:
            stream.prime()
        else:
            stream.keep_alive()
        session.add_listener(stream)
        await self._alive.until(stream, ended)

    async def _resume(self, session: Session, exchange: Exchange, last: bytes) -> None:
        """Replay what a stream sent after an event, then go on with it if it has not ended."""
        number, event = parse_event_id(last)
        found = session.streams.resume(number, event)
        if found is None:
            raise NotFound("that stream is no longer kept; open a new one without Last-Event-ID")
        stream, frames = found
        ended = stream.attach(exchange, [])
        stream.keep_alive()
        for frame in frames:
            stream.write(frame)
        if stream.ended:
            stream.finish()
        elif stream.listens:
            session.add_listener(stream)
        await self._alive.until(stream, ended)


def _session_id(exchange: Exchange) -> bytes | None:
    """Return the session id, None when there is none.

    Raises:
        BadRequest: when there are two: another reader on the way might have taken the other.
    """
    values = exchange.headers(SESSION_HEADER)
    if len(values) > 1:
        raise BadRequest("Mcp-Session-Id was sent more than once")
    return values[0] if values else None


def _members(parts: list[msgspec.Raw], revision: str | None) -> list[Message | bytes]:
    """Return the messages of a batch; a bad one is already its error response (JSON-RPC 2.0 section 6).

    Raises:
        InvalidMessage: when there must be no such batch.
    """
    if not 0 < len(parts) <= MAX_BATCH:
        raise InvalidMessage(f"a batch holds 1 to {MAX_BATCH} messages")
    if (revision or mcp.BATCHES) != mcp.BATCHES:
        raise InvalidMessage(f"revision {revision} has no batches; send one message per POST")
    messages = [_parsed(part) for part in parts]
    if any(isinstance(m, Message) and m.method == mcp.INITIALIZE for m in messages):
        raise InvalidMessage("initialize must not be part of a batch")
    return messages


def _parsed(part: msgspec.Raw) -> Message | bytes:
    """Parse one member of a batch; a bad one is answered by itself (JSON-RPC 2.0 section 6)."""
    try:
        message = jsonrpc.parse(bytes(part))
        mcp.require_direction(message)
    except InvalidMessage as error:
        return to_jsonrpc(error, error.id)
    return message
