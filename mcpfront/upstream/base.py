"""The seam to MCP servers: what a session asks of one, whatever its transport."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from mcpfront.authn.base import Principal
from mcpfront.protocol.jsonrpc import Message

OnMessage = Callable[[Message], None]


class Connection(Protocol):
    """One initialised conversation with a server, owned by one session.

    Ids and progress tokens are mapped inside: what goes in carries the client's, and so does what comes out.
    Ids of the server's own requests are minted by the connection and valid for this session alone.

    Attributes:
        result: the raw JSON of the server's InitializeResult.
        shared: whether other sessions use the same server process.
    """

    result: bytes
    shared: bool

    async def request(self, message: Message, on_message: OnMessage) -> bytes:
        """Send a request and wait for its response.

        Args:
            message: a request of the client, any method but ``initialize``.
            on_message: takes what belongs to this call before its response: progress by its token; requests
                and log messages of the server when no other call of the session is in flight.

        Returns:
            The response, result or error, as the server wrote it, with the client's id.

        Raises:
            UpstreamError: the server died, could not be restarted or did not answer in time.
            CancelledError: to whoever cancels the Deferred of this coroutine; the server is told
                ``notifications/cancelled``.
        """

    def notify(self, message: Message) -> None:
        """Pass on a notification; ``notifications/cancelled`` finds its call by the client's id."""

    def respond(self, message: Message) -> None:
        """Pass on the client's response to a request of the server; an answer to nothing is dropped."""

    def listen(self, on_message: OnMessage) -> None:
        """Say who takes the messages that belong to no call; those that came before are handed over now."""

    def pause(self) -> None:
        """Stop reading from the server, if it serves this session alone."""

    def resume(self) -> None:
        """Read on."""

    async def close(self) -> None:
        """End the conversation and, if it served this session alone, the process; waits for its end."""


class Upstream(Protocol):
    """One configured server.

    Attributes:
        name: its name in the config.
    """

    name: str

    async def open(self, principal: Principal, params: bytes) -> Connection:
        """Start a conversation.

        Args:
            principal: for whom.
            params: the raw JSON of the client's ``initialize`` params.

        Raises:
            HandshakeFailed: the server did not start or did not complete ``initialize`` in time.
            TooManyRequests: the caller may start no more processes.
        """

    def start(self) -> None:
        """Begin to keep warm spares, if any are configured."""

    async def close(self) -> None:
        """End every process of this server; waits until none is left."""
