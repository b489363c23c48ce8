"""One request of a client to its server: policy before, the call, the filter after."""

from __future__ import annotations

from typing import Final

import msgspec

from mcpfront.errors import (
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    HandshakeRefused,
    McpfrontError,
    NotServed,
    TooManyRequests,
    Unavailable,
    jsonrpc_error,
    to_jsonrpc,
)
from mcpfront.gateway.record import Record
from mcpfront.gateway.session import Outlet, Session
from mcpfront.protocol import mcp
from mcpfront.protocol.jsonrpc import Message, parse, response

_SHOWN: Final = 128


async def call(
    session: Session, message: Message, outlet: Outlet, record: Record, revision: str | None = None
) -> bytes:
    """Answer one request other than ``initialize``.

    Args:
        session: whose it is; a server that was never initialized is initialized first.
        message: the request.
        outlet: takes what the server sends before the response.
        record: takes the tool's name for the log.
        revision: what the client says it speaks, for the handshake it left out.

    Returns:
        The JSON-RPC response with the client's id: the server's own, or an error that says what happened.

    Raises:
        TooManyRequests: the caller may start no more processes.
        Unavailable: the session or the gateway has ended.
    """
    policy = session.server.policy
    if message.method == mcp.DISCOVER:
        # A client of a later era asks this before it falls back to initialize: a handshake made for it here
        # would take the place of the client's own, and of its capabilities.
        return jsonrpc_error(message.id, METHOD_NOT_FOUND, "Method not found: server/discover")
    try:
        if message.method == mcp.METHOD_WITH_TOOL:
            name = mcp.tool_name(message)
            record.tool = name or ""
            if policy is not None and not policy.allows(message.method, name):
                return _unknown_tool(message, name)
        connection = session.connection or await session.connect(mcp.initialize_params(revision))
        answer = await connection.request(message, outlet.message)
    except (NotServed, TooManyRequests, Unavailable):
        raise
    except McpfrontError as error:
        record.failed(error)
        return to_jsonrpc(error, message.id)
    if policy is not None and message.method == mcp.LIST_OF_TOOLS:
        return _filtered(answer, session)
    return answer


async def initialize(session: Session, message: Message, record: Record) -> tuple[bytes, bool]:
    """Answer ``initialize`` by opening the session's connection with the client's own params.

    Returns:
        The response, and whether the session lives.
    """
    id = message.id or b"null"  # noqa: A001
    try:
        connection = await session.initialize(message.params)
    except HandshakeRefused as error:
        record.failed(error)
        return b'{"jsonrpc":"2.0","id":' + id + b',"error":' + error.error + b"}", False
    except (NotServed, TooManyRequests, Unavailable):
        raise
    except McpfrontError as error:
        record.failed(error)
        return to_jsonrpc(error, message.id), False
    return response(id, connection.result), True


def _filtered(answer: bytes, session: Session) -> bytes:
    message = parse(answer)
    result = message.members.get("result")
    if result is None or session.server.policy is None:
        return answer
    return message.replace("result", session.server.policy.filter_tools(bytes(result)))


def _unknown_tool(message: Message, name: str | None) -> bytes:
    shown = msgspec.json.encode((name or "")[:_SHOWN]).decode()
    return jsonrpc_error(message.id, INVALID_PARAMS, f"Unknown tool: {shown}")
