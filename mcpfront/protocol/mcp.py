"""What the revisions of MCP say about HTTP headers and messages, as pure checks.

Source: the "Transports" page of revisions 2024-11-05, 2025-03-26, 2025-06-18 and 2025-11-25.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from mcpfront.errors import BadRequest, InvalidMessage, NotAcceptable, UnsupportedMediaType
from mcpfront.protocol.jsonrpc import Kind, Message, object_members, string

REVISIONS: Final = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
"""The revisions with an ``initialize`` handshake, oldest first."""
BATCHES: Final = "2025-03-26"
"""The one revision in which a server must accept JSON-RPC batches."""
POLLING: Final = "2025-11-25"
"""The first revision whose clients know an event with an id and no data."""
LATEST: Final = REVISIONS[-1]

UNSUPPORTED_VERSION: Final = -32022
METHOD_WITH_TOOL: Final = "tools/call"
LIST_OF_TOOLS: Final = "tools/list"
INITIALIZE: Final = "initialize"
NOTIFICATIONS: Final = "notifications/"
INITIALIZED: Final = "notifications/initialized"
DISCOVER: Final = "server/discover"

_KNOWN: Final = frozenset(revision.encode() for revision in REVISIONS)


class UnsupportedVersion(BadRequest):
    """The client asks for a revision that is not served here."""

    rpc_code = UNSUPPORTED_VERSION

    def __init__(self, requested: bytes) -> None:
        shown = requested.decode("ascii", "replace")[:40]
        super().__init__(
            f"MCP-Protocol-Version {shown!r} is not served here; use one of {', '.join(REVISIONS)}"
        )
        self.data = msgspec.json.encode({"supported": list(REVISIONS), "requested": shown})


@dataclass(frozen=True, slots=True)
class Accepts:
    """The forms of answer that a client takes.

    Attributes:
        json: ``application/json``.
        stream: ``text/event-stream``.
        stream_first: both, and the stream named first: of two equally good forms it is the one wanted.
    """

    json: bool
    stream: bool
    stream_first: bool = False


BOTH: Final = Accepts(json=True, stream=True)


def accepts(headers: list[bytes]) -> Accepts:
    """Read ``Accept`` (RFC 9110 section 12.5.1); absent means everything.

    Args:
        headers: its lines, which are one list (RFC 9110 section 5.3).

    Raises:
        NotAcceptable: when the client takes neither JSON nor an event stream.
    """
    if not headers:
        return BOTH
    value = b", ".join(headers).lower()
    anything = b"*/*" in value
    found = Accepts(
        json=anything or b"application/json" in value or b"application/*" in value,
        stream=anything or b"text/event-stream" in value or b"text/*" in value,
    )
    if not (found.json or found.stream):
        raise NotAcceptable("send Accept: application/json, text/event-stream")
    first = value.find(b"text/event-stream")
    if found.json and 0 <= first < value.find(b"application/json"):
        return Accepts(json=True, stream=True, stream_first=True)
    return found


def require_stream(headers: list[bytes]) -> None:
    """Refuse a GET whose client does not take an event stream.

    Args:
        headers: the lines of ``Accept``.

    Raises:
        NotAcceptable: when ``text/event-stream`` is not among the accepted types.
    """
    if not accepts(headers).stream:
        raise NotAcceptable("this URL answers GET with an event stream: send Accept: text/event-stream")


def require_json(header: bytes | None) -> None:
    """Refuse a POST that is not JSON.

    Raises:
        UnsupportedMediaType: when ``Content-Type`` is something else.
    """
    if header is None or header.split(b";", 1)[0].strip().lower() != b"application/json":
        raise UnsupportedMediaType("the body must be JSON: send Content-Type: application/json")


def require_version(headers: list[bytes]) -> str | None:
    """Return the revision that ``MCP-Protocol-Version`` names, None when the header is absent.

    Raises:
        BadRequest: when the header comes twice.
        UnsupportedVersion: when it names a revision that is not served.
    """
    if not headers:
        return None
    if len(headers) > 1:
        raise BadRequest("MCP-Protocol-Version was sent more than once")
    if headers[0] not in _KNOWN:
        raise UnsupportedVersion(headers[0])
    return headers[0].decode()


def require_direction(message: Message) -> None:
    """Refuse a request in the form of a notification, and the other way round (JSON-RPC 2.0 section 4.1).

    A lax server would act on either, but what is asked of requests, such as the tool filter, is not asked of
    notifications, and the ids that notifications name are translated in no request.

    Raises:
        InvalidMessage: when the id and the method contradict each other.
    """
    named = message.method.startswith(NOTIFICATIONS)
    if message.kind is Kind.REQUEST and named:
        raise InvalidMessage("a notification is sent without an id", id=message.id)
    if message.kind is Kind.NOTIFICATION and not named:
        raise InvalidMessage(
            f'a request has an "id"; the method of a notification begins with "{NOTIFICATIONS}"'
        )


def initialize_params(revision: str | None) -> bytes:
    """Write the ``initialize`` params of a gateway that speaks for a client which sent none."""
    params = {
        "protocolVersion": revision or LATEST,
        "capabilities": {},
        "clientInfo": {"name": "mcpfront", "version": "1"},
    }
    return msgspec.json.encode(params)


def negotiated(result: bytes) -> str:
    """Return the ``protocolVersion`` of a raw InitializeResult, empty when it names none."""
    return string(object_members(result).get("protocolVersion")) or ""


def tool_name(message: Message) -> str | None:
    """Return the tool that a ``tools/call`` names.

    Raises:
        InvalidMessage: when params are no object or name a key twice.
    """
    params = message.members.get("params")
    return None if params is None else string(object_members(params).get("name"))
