"""JSON-RPC with one child process: requests of many callers out, each response back to its own.

Ids are rewritten to the gateway's own, since callers choose theirs independently; every other byte is kept.

Source: JSON-RPC 2.0; MCP base protocol, "Cancellation" and "Progress".
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from mcpfront.errors import (
    CallTimeout,
    HandshakeRefused,
    InvalidMessage,
    McpfrontError,
    ServerExited,
    TooManyRequests,
    UpstreamError,
)
from mcpfront.protocol import jsonrpc
from mcpfront.protocol.jsonrpc import Kind, Message
from mcpfront.upstream.calls import Call, key
from mcpfront.upstream.parsing import messages_of, spoilt_response
from mcpfront.upstream.process import Child
from mcpfront.upstream.throttle import Throttle

MAX_IN_FLIGHT: Final = 1000
WARNINGS_PER_SECOND: Final = 5

Deliver = Callable[["Peer", Message], None]


class Peer:
    """One server process as a JSON-RPC peer.

    Args:
        name: the server's name.
        clock: measures the deadlines.
        log: a logger bound to the server.
        deliver: takes the server's requests, and its notifications that belong to no call.
        lost: is told once when the process can be used no longer.

    Attributes:
        child: the process, set right after its start.
        usable: whether new messages may be sent.
        initialized: whether ``notifications/initialized`` was sent.
        in_flight: calls without a response, by the id that the server knows.
    """

    child: Child

    def __init__(
        self, name: str, clock: IReactorTime, log: Any, deliver: Deliver, lost: Callable[[Peer], None]
    ) -> None:
        self.name = name
        self.usable = True
        self.initialized = False
        self.in_flight: dict[bytes, Call] = {}
        self._clock = clock
        self._log = log
        self._deliver = deliver
        self._lost = lost
        self._last_id = 0
        self._tokens: dict[bytes, Call] = {}
        self._given_up: OrderedDict[bytes | None, None] = OrderedDict()
        self._garbage = Throttle(
            clock, log, "more messages that make no sense were dropped", WARNINGS_PER_SECOND
        )

    # Sending

    def knows_token(self, token: bytes) -> bool:
        """Tell whether a call in flight has this progress token, raw JSON."""
        return key(token) in self._tokens

    def require_usable(self) -> None:
        """See that the process has not ended.

        Raises:
            ServerExited: it has.
        """
        if not self.usable:
            raise ServerExited(f"the server '{self.name}' has ended")

    def next_id(self) -> bytes:
        """Return an id that this process has not seen."""
        self._last_id += 1
        return b"%d" % self._last_id

    def start(self, call: Call, text: bytes) -> Deferred[Message]:
        """Send a request whose id is ``call.id``; the result is its response.

        Cancelling the result gives the call up and tells the server so.

        Raises:
            ServerExited: the process has ended.
            TooManyRequests: too many calls are in flight.
            UpstreamError: the process does not read its input.
        """
        self.require_usable()
        if len(self.in_flight) >= MAX_IN_FLIGHT:
            raise TooManyRequests(
                f"the server '{self.name}' has {MAX_IN_FLIGHT} calls in flight; try again later"
            )
        self.child.write_line(jsonrpc.one_line(text))
        self.in_flight[call.id] = call
        if call.sent_token is not None:
            self._tokens[call.sent_token] = call
        call.answer = Deferred(lambda _: self._give_up(call, "the caller has gone"))
        call.arm(self._clock, self._expire)
        return call.answer

    def ask(self, method: str, params: bytes, timeout: float, cancellable: bool = True) -> Deferred[Message]:
        """Send a request of the gateway's own."""
        call = Call(None, timeout, cancellable=cancellable)
        call.id = self.next_id()
        return self.start(call, jsonrpc.request(call.id, method, params))

    def send(self, text: bytes) -> None:
        """Send a notification or a response; it is dropped when the process takes nothing any more."""
        if not self.usable:
            return
        try:
            self.child.write_line(jsonrpc.one_line(text))
        except UpstreamError as error:
            self._log.warning("message dropped", reason=error.message)

    async def initialize(self, params: bytes, within: float) -> bytes:
        """Do the first half of the handshake.

        Args:
            params: the raw params of ``initialize``.
            within: seconds it may take.

        Returns:
            The raw InitializeResult.

        Raises:
            HandshakeRefused: the server answered with an error.
            UpstreamError: it ended or did not answer in time.
        """
        answer = await self.ask("initialize", params, within, cancellable=False)
        result = answer.members.get("result")
        if result is None:
            refusal = bytes(answer.members["error"])
            raise HandshakeRefused(f"the server '{self.name}' refused the handshake", refusal)
        return bytes(result)

    def confirm(self) -> None:
        """Send ``notifications/initialized``, unless that was done."""
        if not self.initialized:
            self.initialized = True
            self.send(jsonrpc.notification("notifications/initialized"))

    def withdraw(self, call: Call, error: McpfrontError) -> None:
        """Give a call up whose caller ends the conversation."""
        if self.in_flight.get(call.id) is call:
            self._give_up(call, "the caller has gone")
            call.answer.errback(error)

    def cancel(self, call: Call, notice: bytes, grace: float) -> None:
        """Pass on a caller's own cancellation; the server may still answer within ``grace`` seconds."""
        self.send(notice)
        call.withdrawn = True
        call.shorten_to(self._clock, grace)

    # What the child tells

    def line_received(self, line: bytes) -> None:
        """Take a line of the server's output."""
        try:
            messages = messages_of(line)
        except InvalidMessage as error:
            self._spoilt(line, error)
            return
        for message in messages:
            try:
                self._received(message)
            except Exception:  # noqa: BLE001 - a fault at one receiver must not end the server of the others
                self._log.exception("a message could not be handled", method=message.method)

    def child_broken(self, error: UpstreamError) -> None:
        """Fail everything in flight: the process is being stopped."""
        self._lose()
        self._fail_all(error)

    def child_exited(self) -> None:
        """Send nothing any more."""
        self._lose()

    def child_gone(self, error: ServerExited) -> None:
        """Fail what is still in flight."""
        self._lose()
        self._fail_all(error)
        self._garbage.close()

    # Inside

    def _received(self, message: Message) -> None:
        if message.kind is Kind.RESPONSE:
            self._response(message)
        elif message.method == "notifications/progress":
            self._progress(message)
        else:
            self._deliver(self, message)

    def _response(self, message: Message) -> None:
        call = self.in_flight.get(message.id or b"")
        if call is not None:
            self._forget(call)
            call.answer.callback(message)
        elif message.id in self._given_up:
            del self._given_up[message.id]
        else:
            self._drop("a response that nobody waits for", message.raw)

    def _progress(self, message: Message) -> None:
        try:
            token = jsonrpc.object_members(message.params).get("progressToken", msgspec.Raw(b""))
        except InvalidMessage:
            self._drop("progress without a token", message.raw)
            return
        call = self._tokens.get(key(bytes(token)))
        if call is None:
            self._deliver(self, message)
            return
        call.renew(self._clock)
        if call.on_message is not None:
            call.on_message(call.progress(message))

    def _spoilt(self, line: bytes, error: InvalidMessage) -> None:
        call = self.in_flight.get(spoilt_response(line, error) or b"")
        if call is None:
            self._drop("no JSON-RPC message", line)
            return
        self._forget(call)
        call.answer.errback(UpstreamError(f"the server '{self.name}' answered with a malformed response"))

    def _drop(self, what: str, line: bytes) -> None:
        if self._garbage.allow():
            self._log.warning("dropped a message of the server", what=what, size=len(line))

    def _expire(self, call: Call) -> None:
        self._give_up(call, "the call took too long")
        if call.withdrawn:
            text = "the call was cancelled"
        else:
            text = f"the server '{self.name}' did not answer within {call.timeout:g} seconds"
        call.answer.errback(CallTimeout(text))

    def _give_up(self, call: Call, why: str) -> None:
        if self.in_flight.get(call.id) is not call:
            return
        self._forget(call)
        self._given_up[call.id] = None
        if len(self._given_up) > MAX_IN_FLIGHT:
            self._given_up.popitem(last=False)
        if call.cancellable and not call.withdrawn:
            reason = msgspec.json.encode(why)
            params = b'{"requestId":' + call.id + b',"reason":' + reason + b"}"
            self.send(jsonrpc.notification("notifications/cancelled", params))

    def _forget(self, call: Call) -> None:
        call.disarm()
        del self.in_flight[call.id]
        if call.sent_token is not None and self._tokens.get(call.sent_token) is call:
            del self._tokens[call.sent_token]

    def _lose(self) -> None:
        if self.usable:
            self.usable = False
            self._lost(self)

    def _fail_all(self, error: McpfrontError) -> None:
        for call in list(self.in_flight.values()):
            self._forget(call)
            call.answer.errback(error)
