"""One tree of errors, each knowing how it looks on every surface, and one renderer per surface.

A message given to these classes is public: it is sent to the caller. It never holds a secret, a token or an
argument.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

# JSON-RPC 2.0 section 5.1
PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
# The implementation-defined range as the MCP SDKs use it
CONNECTION_CLOSED = -32000
REQUEST_TIMEOUT = -32001


class McpfrontError(Exception):
    """The root: every error that is told to a caller.

    Args:
        message: what is wrong and how to mend it, in one public sentence.
        headers: HTTP headers that the answer must carry (name, value).

    Attributes:
        data: the raw JSON of what a JSON-RPC error says beyond its text, None for nothing.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_server_error"
    rpc_code: ClassVar[int] = INTERNAL_ERROR

    def __init__(self, message: str, *, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.headers = headers
        self.data: bytes | None = None


class BadRequest(McpfrontError):
    """The request cannot be understood."""

    status, code, rpc_code = 400, "bad_request", INVALID_REQUEST


class InvalidMessage(BadRequest):
    """A JSON-RPC message is malformed (JSON-RPC 2.0 sections 4 and 5.1).

    Args:
        message: what is wrong.
        rpc_code: one of the JSON-RPC error codes.
        id: the raw JSON of the request's id where it is known.
    """

    def __init__(self, message: str, rpc_code: int = INVALID_REQUEST, id: bytes | None = None) -> None:
        super().__init__(message)
        self.rpc_code = rpc_code  # type: ignore[misc]
        self.id = id


class Unauthorized(McpfrontError):
    """Nobody is known to be calling; ``headers`` holds the challenges (RFC 9110 section 11.6.1)."""

    status, code = 401, "unauthorized"


class Forbidden(McpfrontError):
    """The caller, the Host or the Origin is known and may not."""

    status, code = 403, "forbidden"


class NotFound(McpfrontError):
    """No such server, path or session."""

    status, code, rpc_code = 404, "not_found", INVALID_REQUEST


class MethodNotAllowed(McpfrontError):
    """The path does not take this HTTP method."""

    status, code = 405, "method_not_allowed"


class NotAcceptable(McpfrontError):
    """The client accepts none of the forms in which the answer exists."""

    status, code = 406, "not_acceptable"


class UnsupportedMediaType(McpfrontError):
    """The body is not JSON."""

    status, code, rpc_code = 415, "unsupported_media_type", INVALID_REQUEST


class TooManyRequests(McpfrontError):
    """A limit of the caller is reached."""

    status, code, rpc_code = 429, "too_many_requests", CONNECTION_CLOSED


class NotServed(McpfrontError):
    """The config names something that this version does not serve."""

    status, code = 501, "not_implemented"


class Unavailable(McpfrontError):
    """The gateway or the server cannot answer now."""

    status, code, rpc_code = 503, "service_unavailable", CONNECTION_CLOSED


class UpstreamError(McpfrontError):
    """A server behind the gateway failed; travels as a JSON-RPC error with HTTP 200 to legacy clients."""

    status, code, rpc_code = 502, "bad_gateway", CONNECTION_CLOSED


class ServerExited(UpstreamError):
    """The server's process ended, so its calls in flight have no answer."""


class HandshakeFailed(UpstreamError):
    """The server could not be started or did not complete ``initialize``."""


class HandshakeRefused(HandshakeFailed):
    """The server answered ``initialize`` with an error of its own.

    Args:
        message: a public sentence.
        error: the raw JSON of the server's ``error`` member, to be passed on as it is.
    """

    def __init__(self, message: str, error: bytes) -> None:
        super().__init__(message)
        self.error = error


class CallTimeout(UpstreamError):
    """The server did not answer a call within its deadline."""

    status, code, rpc_code = 504, "gateway_timeout", REQUEST_TIMEOUT


class MessageTooLarge(UpstreamError):
    """The server sent a message over the limit."""


def to_json(error: McpfrontError) -> bytes:
    """Render an error for plain HTTP surfaces: ``{"error": code, "message": text}``."""
    return msgspec.json.encode({"error": error.code, "message": error.message})


def to_jsonrpc(error: McpfrontError, id: bytes | None = None) -> bytes:
    """Render an error as a JSON-RPC error response; ``id`` is raw JSON, None for null."""
    return jsonrpc_error(id, error.rpc_code, error.message, error.data)


def jsonrpc_error(id: bytes | None, code: int, message: str, data: bytes | None = None) -> bytes:
    """Write a JSON-RPC 2.0 error response (section 5.1); ``id`` and ``data`` are raw JSON."""
    inner = msgspec.json.encode({"code": code, "message": message})
    if data is not None:
        inner = inner[:-1] + b',"data":' + data + b"}"
    return b'{"jsonrpc":"2.0","id":' + (id or b"null") + b',"error":' + inner + b"}"
