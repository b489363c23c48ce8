"""What one request's log line will say, gathered on its way."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from mcpfront.errors import McpfrontError


class Record:
    """The facts of one request; never a token, an argument or a query.

    Attributes:
        user: the principal's subject.
        server: the server's name.
        rpc: the JSON-RPC method, ``batch`` for a batch.
        tool: the tool's name.
        id: the raw JSON of the request's id, for errors.
        jsonrpc: whether errors are told as JSON-RPC.
        cancellable: whether the client's leaving ends the request: it could never come back for the answer.
        answer: fires when the answer is complete, where it comes after the response to the request.
        error: what went wrong, empty when nothing did.
    """

    __slots__ = ("answer", "cancellable", "error", "id", "jsonrpc", "rpc", "server", "tool", "user")

    def __init__(self, server: str) -> None:
        self.server = server
        self.user = ""
        self.rpc = ""
        self.tool = ""
        self.id: bytes | None = None
        self.jsonrpc = False
        self.cancellable = False
        self.answer: Deferred[None] | None = None
        self.error = ""

    def failed(self, error: McpfrontError) -> None:
        """Remember the kind of an error that the caller was told."""
        self.error = type(error).__name__
