"""One call in flight at a server: by which names each side knows it, and how long it may take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from mcpfront.protocol import jsonrpc
from mcpfront.protocol.jsonrpc import Message
from mcpfront.upstream.base import OnMessage

LONGEST: Final = 3600.0
"""Seconds that a call may take in all, however often it reports progress."""


def key(raw: bytes) -> bytes:
    """Return the canonical spelling of a raw JSON id or token, so that two spellings of one are equal."""
    if raw[:1] == b'"' and b"\\" in raw:
        return msgspec.json.encode(jsonrpc.string(raw))
    return raw


class Call:
    """A request that waits for its response.

    Args:
        on_message: takes the call's progress; None for the gateway's own calls.
        timeout: seconds of silence after which it is given up.
        token: the progress token as the client wrote it, raw JSON.
        cancellable: whether the server is told when it is given up.
    """

    __slots__ = (
        "answer",
        "cancellable",
        "end",
        "id",
        "on_message",
        "rewritten",
        "timeout",
        "timer",
        "token",
        "withdrawn",
    )

    def __init__(
        self,
        on_message: OnMessage | None,
        timeout: float,
        token: bytes | None = None,
        rewritten: bool = False,
        cancellable: bool = True,
    ) -> None:
        self.on_message = on_message
        self.timeout = timeout
        self.token = token
        self.rewritten = rewritten
        self.cancellable = cancellable
        self.withdrawn = False
        self.id = b""
        self.end = 0.0
        self.timer: IDelayedCall | None = None
        self.answer: Deferred[Message] = Deferred()

    @property
    def sent_token(self) -> bytes | None:
        """The progress token as the server knows it: the client's, or the call's id where several choose."""
        if self.token is None:
            return None
        return self.id if self.rewritten else key(self.token)

    def progress(self, message: Message) -> Message:
        """Return the server's progress with the token as the client wrote it."""
        if not self.rewritten or self.token is None:
            return message
        params = jsonrpc.replace_member(message.params, ("progressToken",), self.token)
        return jsonrpc.parse(message.replace("params", params))

    def arm(self, clock: IReactorTime, expire: Callable[[Call], None]) -> None:
        """Start the deadline."""
        self.end = clock.seconds() + max(LONGEST, self.timeout)
        self.timer = clock.callLater(self.timeout, expire, self)

    def renew(self, clock: IReactorTime) -> None:
        """Start the deadline anew, within what the call may take in all."""
        self.shorten_to(clock, self.timeout)

    def shorten_to(self, clock: IReactorTime, seconds: float) -> None:
        """Let the call take ``seconds`` from now, within what it may take in all."""
        if self.timer is not None and self.timer.active():
            self.timer.reset(max(0.0, min(seconds, self.end - clock.seconds())))

    def disarm(self) -> None:
        """End the deadline."""
        if self.timer is not None and self.timer.active():
            self.timer.cancel()
