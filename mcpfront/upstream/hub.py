# ruff: noqa: B027 - some hooks do nothing by default
"""One server process and the sessions it serves: whose call, whose answer, who hears what.

:class:`Hub` holds what is common. The kinds differ in whom the server's own messages reach: one session
(:class:`SessionHub`), the sessions of one user or of everybody (:mod:`mcpfront.upstream.hubs`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Final, Protocol

from twisted.internet.defer import maybeDeferred
from twisted.internet.interfaces import IReactorTime

from mcpfront.errors import CONNECTION_CLOSED, Unavailable, jsonrpc_error
from mcpfront.protocol import jsonrpc, mcp
from mcpfront.protocol.jsonrpc import Kind, Message
from mcpfront.upstream.base import OnMessage
from mcpfront.upstream.budget import Seat
from mcpfront.upstream.calls import Call
from mcpfront.upstream.connection import StdioConnection
from mcpfront.upstream.memory import UNSUBSCRIBE, Memory
from mcpfront.upstream.parsing import capabilities_of, member_at, progress_token, result_for
from mcpfront.upstream.peer import Peer
from mcpfront.upstream.runner import Owner, Runner

CANCELLED: Final = "notifications/cancelled"
CANCEL_GRACE: Final = 2.0
"""Seconds in which a server may still answer a call that its client cancelled."""
REPLAY_TIMEOUT: Final = 60.0
MAX_EARLY: Final = 100


class MakeRunner(Protocol):
    """Makes the runner of a hub."""

    def __call__(self, owner: Owner, params: bytes) -> Runner:
        """Make one that will initialize its process with ``params``."""


class Hub(ABC):
    """A process and its sessions.

    Args:
        make_runner: makes what keeps the process.
        params: the raw params of ``initialize``.
        seat: what this process counts against; given back at the end.
        timeout: seconds that a call may be silent.
        clock: measures the waits.
        log: a logger bound to the server.
        over: is told when the process is wanted no longer, and ends it.

    Attributes:
        shared: whether several sessions may use the process.
        relays: whether notifications of the sessions reach the server.
        runner: keeps the process.
        members: the sessions.
        spare: whether the process waits for its first session.
    """

    shared = True
    relays = True

    def __init__(
        self,
        make_runner: MakeRunner,
        params: bytes,
        seat: Seat,
        timeout: float,
        clock: IReactorTime,
        log: Any,
        over: Callable[[Hub], None],
    ) -> None:
        self.runner = make_runner(self, params)
        self.seat = seat
        self.spare = False
        self.members: list[StdioConnection] = []
        self.clock = clock
        self.log = log
        self._timeout = timeout
        self.over = over
        self._memory: Memory[StdioConnection] = Memory()

    # For the upstream

    def join(self, params: bytes) -> StdioConnection:
        """Add a session of a client that initializes with ``params``; the handshake is complete."""
        result = result_for(params, self.runner.result) if self.shared else self.runner.result
        member = StdioConnection(self, result, capabilities_of(params), self.log)
        self.members.append(member)
        return member

    async def close(self, hurry: bool = False) -> None:
        """End the process; waits until it is gone."""
        for member in self.members:
            member.closed = True
            self._withdraw_calls(member)
        try:
            await self.runner.stop(hurry)
        finally:
            self.seat.release()

    # For a connection

    async def call(self, member: StdioConnection, message: Message, on_message: OnMessage) -> bytes:
        """Send a member's request; return the response with the member's id."""
        id = message.id or b"null"  # noqa: A001
        local = self.answer_locally(member, message)
        if local is not None:
            return jsonrpc.response(id, local)
        peer = await self.runner.peer()
        if member.closed:
            raise Unavailable("the session is closed")
        peer.confirm()
        call, text = self._prepare(peer, message, on_message)
        answering = peer.start(call, text)
        self.began(member, id, call)
        try:
            answer = await answering
        finally:
            self.ended(member, call)
        if "result" in answer.members and not member.closed:
            self._memory.note(member, message)
        return answer.with_id(id)

    def notify(self, member: StdioConnection, message: Message) -> None:
        """Pass on a member's notification."""
        peer = self.runner.current
        if peer is None:
            return  # a process started later learns by its handshake what it needs
        if message.method == CANCELLED:
            self._cancel(peer, member, message)
        elif message.method == mcp.INITIALIZED:
            self.initialized(peer, message)
        elif self.relays:
            peer.send(message.raw)

    async def leave(self, member: StdioConnection) -> None:
        """End a member's session."""
        self._withdraw_calls(member)
        if member in self.members:
            self.members.remove(member)
        self._unsubscribe(member)
        for ask in member.asks.drop():
            self.refuse(ask.peer, ask.id, "the client has gone")

    def pause(self) -> None:
        """Stop reading, where that concerns one session only."""

    def resume(self) -> None:
        """Read on."""

    # For the runner

    def receive(self, peer: Peer, message: Message) -> None:
        """Take a request or a notification of the server."""
        if message.kind is Kind.REQUEST:
            self.server_request(peer, message)
        elif message.method == CANCELLED:
            self._server_cancelled(peer, message)
        else:
            self.server_notification(peer, message)

    def started(self, peer: Peer, again: bool) -> None:
        """Complete the handshake and, with a process that replaces another, tell it what the other knew."""
        peer.confirm()
        if again:
            self.replay(peer)

    def died(self, peer: Peer) -> None:
        """Forget what the process had asked."""
        for member in self.members:
            member.asks.drop(peer)
        if self.spare:
            self.over(self)

    # In what the kinds differ

    def answer_locally(self, member: StdioConnection, message: Message) -> bytes | None:
        """Return the result (raw JSON) of a request that the server is not to see, None for any other.

        Raises:
            TooManyRequests: it asks for more than can be kept.
        """
        return b"{}" if self._memory.spares_the_server(member, message) else None

    def initialized(self, peer: Peer, message: Message) -> None:
        """Take a client's ``notifications/initialized``; the process has had its own."""

    @abstractmethod
    def server_request(self, peer: Peer, message: Message) -> None:
        """Take a request of the server."""

    @abstractmethod
    def server_notification(self, peer: Peer, message: Message) -> None:
        """Take a notification of the server."""

    def began(self, member: StdioConnection, id: bytes, call: Call) -> None:
        """Note a call in flight."""
        member.began(id, call)

    def ended(self, member: StdioConnection, call: Call) -> None:
        """Forget a call."""
        member.ended(call)

    # Helpers of the kinds

    def ask(self, peer: Peer, member: StdioConnection, message: Message) -> None:
        """Let a member answer a request of the server."""
        if member.asks.full or member.overrun:
            self.refuse(peer, message.id, "the client has too many requests to answer")
            return
        sink = member.sink()
        sink(jsonrpc.parse(message.with_id(member.asks.add(peer, message, sink))))

    def refuse(self, peer: Peer, id: bytes | None, why: str, code: int = CONNECTION_CLOSED) -> None:
        """Answer a request of the server with an error."""
        peer.send(jsonrpc_error(id, code, why))

    def hearing(self, message: Message) -> set[StdioConnection]:
        """Return who subscribed to the resource of a ``notifications/resources/updated``."""
        return self._memory.hearing(message)

    def replay(self, peer: Peer) -> None:
        """Tell a new process the log level and the subscriptions that the old one had."""
        for method, params in self._memory.requests():
            self._ask_aside(peer, method, params)

    # Inside

    def _prepare(self, peer: Peer, message: Message, on_message: OnMessage) -> tuple[Call, bytes]:
        token = progress_token(message, strict=self.shared)
        rewritten = token is not None and (self.shared or peer.knows_token(token))
        call = Call(on_message, self._timeout, token, rewritten=rewritten)
        call.id = peer.next_id()
        if rewritten:
            params = jsonrpc.replace_member(message.params, ("_meta", "progressToken"), call.id)
            message = jsonrpc.parse(message.replace("params", params))
        return call, message.with_id(call.id)

    def _cancel(self, peer: Peer, member: StdioConnection, message: Message) -> None:
        call = member.find(member_at(message.params, "requestId"))
        if call is None or peer.in_flight.get(call.id) is not call:
            return
        params = jsonrpc.replace_member(message.params, ("requestId",), call.id)
        peer.cancel(call, message.replace("params", params), CANCEL_GRACE)

    def _server_cancelled(self, peer: Peer, message: Message) -> None:
        id = member_at(message.params, "requestId") or b""  # noqa: A001
        for member in self.members:
            found = member.asks.find(peer, id)
            if found is not None:
                minted, ask = found
                member.asks.forget(minted)
                params = jsonrpc.replace_member(message.params, ("requestId",), minted)
                ask.sink(jsonrpc.parse(message.replace("params", params)))

    def _withdraw_calls(self, member: StdioConnection) -> None:
        peer = self.runner.current
        for call in list(member.calls):
            if peer is not None:
                peer.withdraw(call, Unavailable("the session was closed"))

    def _unsubscribe(self, member: StdioConnection) -> None:
        peer = self.runner.current
        for params in self._memory.forget(member):
            if peer is not None and self.shared:
                self._ask_aside(peer, UNSUBSCRIBE, params)

    def _ask_aside(self, peer: Peer, method: str, params: bytes) -> None:
        asked = maybeDeferred(peer.ask, method, params, REPLAY_TIMEOUT)
        asked.addErrback(lambda _: self.log.info("request of the gateway failed", method=method))
