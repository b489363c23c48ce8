"""JSON-RPC 2.0 envelopes for the demo server: told apart, answered, gathered into batches."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

Json = dict[str, Any]
Reply = Callable[[Json], None]

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
BUSY: Final = -32000


class RpcError(Exception):
    """A request is answered with a JSON-RPC error.

    Args:
        code: the JSON-RPC code.
        message: what is wrong.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Batch:
    """Gathers the responses of a batch (2025-03-26) and sends them as one array.

    Args:
        size: how many requests are to be answered.
        send: takes the array.
    """

    def __init__(self, size: int, send: Callable[[Any], None]) -> None:
        self._missing = size
        self._send = send
        self._responses: list[Json] = []

    def reply(self, response: Json) -> None:
        """Take one response."""
        self._responses.append(response)
        self.drop()

    def drop(self) -> None:
        """Expect one response less; the last one sends what there is."""
        self._missing -= 1
        if self._missing == 0 and self._responses:
            self._send(self._responses)


def decode(line: bytes) -> Any:
    """Read one line of JSON.

    Raises:
        RpcError: it is none.
    """
    try:
        return json.loads(line, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise RpcError(PARSE_ERROR, "the line is not valid JSON") from None


def wants_answer(message: Any) -> bool:
    """Tell whether a member of a batch gets a response: a request, or what is no message at all."""
    return bool(problem(message)) or ("method" in message and "id" in message)


def problem(message: Any) -> str:
    """Say why a value is no JSON-RPC message, nothing when it is one."""
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
        return 'a message is an object with "jsonrpc": "2.0"'
    if "id" in message and type(message["id"]) not in (str, int):
        return '"id" must be a string or an integer'
    if "method" in message:
        return "" if isinstance(message["method"], str) else '"method" must be a string'
    if "id" not in message or ("result" in message) == ("error" in message):
        return 'a message has a "method", or else an "id" and one of "result" and "error"'
    return ""


def error_response(id: str | int | None, code: int, message: str) -> Json:
    """Make an error response; ``id`` is None where the request's is unknown."""
    return {"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}}


def _refuse_constant(name: str) -> float:
    raise ValueError(name)
