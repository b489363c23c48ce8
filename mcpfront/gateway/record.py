"""What one request's log line will say, gathered on its way."""

from __future__ import annotations

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
        error: what went wrong, empty when nothing did.
    """

    __slots__ = ("cancellable", "error", "id", "jsonrpc", "rpc", "server", "tool", "user")

    def __init__(self, server: str) -> None:
        self.server = server
        self.user = ""
        self.rpc = ""
        self.tool = ""
        self.id: bytes | None = None
        self.jsonrpc = False
        self.cancellable = False
        self.error = ""

    def failed(self, error: McpfrontError) -> None:
        """Remember the kind of an error that the caller was told."""
        self.error = type(error).__name__
