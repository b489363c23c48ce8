"""JSON-RPC envelopes: parsed once, original bytes kept, changed only by splicing.

Source: JSON-RPC 2.0 sections 4 to 6; MCP base protocol ("Messages") of every revision. MCP narrows ids to
strings
and integers and forbids null.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final

import msgspec

from mcpfront.errors import INVALID_REQUEST, PARSE_ERROR, InvalidMessage

MAX_ID: Final = 1024
"""Bytes of an id's JSON: an id is echoed and kept while the call runs, so it is bounded."""

MAX_MEMBERS: Final = 256
"""Members of an envelope: the protocol knows six, the rest are extensions."""
MAX_HEALED: Final = 10_000
"""Halves of surrogate pairs that are healed in one message; more are no accident."""

_OBJECT: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ARRAY: Final = msgspec.json.Decoder(list[msgspec.Raw])
_STRING: Final = msgspec.json.Decoder(str)
_LONE_SURROGATE: Final = re.compile(
    rb"(?i)(?<!\\)((?:\\\\)*)(?:\\ud[89ab][0-9a-f]{2}(?!\\ud[c-f][0-9a-f]{2})|(?<!\\ud[89ab][0-9a-f]{2})\\ud[c-f][0-9a-f]{2})"
)

_KEY: Final = re.compile(rb'[ \t\r\n]*("[^"\\]*(?:\\.[^"\\]*)*")[ \t\r\n]*:[ \t\r\n]*')
_AFTER_VALUE: Final = re.compile(rb"[ \t\r\n]*[,}]")
_ENVELOPE: Final = frozenset({"jsonrpc", "id", "method", "params", "result", "error"})

Members = dict[str, msgspec.Raw]


class Kind(Enum):
    """What a message is."""

    REQUEST = "request"
    NOTIFICATION = "notification"
    RESPONSE = "response"


class Message:
    """One JSON-RPC message: its bytes, and what the gateway needs to know of them.

    Attributes:
        raw: the message as it came, UTF-8 JSON.
        members: the top-level members, values as raw JSON.
        kind: request, notification or response.
        id: the raw JSON of the id, None for a notification.
        method: the method's name, empty for a response.
    """

    __slots__ = ("_compact", "id", "kind", "members", "method", "raw")

    def __init__(
        self, raw: bytes, members: Members, kind: Kind, id: bytes | None, method: str, compact: bool
    ) -> None:
        self.raw = raw
        self.members = members
        self.kind = kind
        self.id = id
        self.method = method
        self._compact = compact

    def __repr__(self) -> str:
        """Tell the kind and the method, never the content."""
        return f"<Message {self.kind.value} {self.method} {len(self.raw)} bytes>"

    @property
    def params(self) -> bytes:
        """The raw JSON of ``params``, ``{}`` when there are none."""
        found = self.members.get("params")
        return b"{}" if found is None else bytes(found)

    def with_id(self, id: bytes) -> bytes:
        """Return the message with another id (raw JSON) and every other byte of it kept."""
        return self.replace("id", id)

    def replace(self, key: str, value: bytes) -> bytes:
        """Return the message with another value (raw JSON) for one top-level member."""
        return _splice(self.raw, self.members, self._compact, key, value)

    def line(self) -> bytes:
        """Return the message without line breaks, as the stdio transport wants it."""
        return one_line(self.raw)


def parse(raw: bytes) -> Message:
    """Parse one JSON-RPC message.

    Args:
        raw: UTF-8 JSON of one object.

    Raises:
        InvalidMessage: with -32700 when it is no JSON, -32600 when it is no JSON-RPC 2.0 message.
    """
    if not raw.isascii():
        _check_utf8(raw)
    try:
        members = _decode(raw)
    except InvalidMessage:
        healed = heal_surrogates(raw)
        if healed is None:
            raise
        raw, members = healed, _decode(healed)
    return _classify(raw, members)


def parse_body(raw: bytes) -> Message | list[msgspec.Raw]:
    """Parse a request body: one message, or the raw members of a batch (JSON-RPC 2.0 section 6).

    Raises:
        InvalidMessage: as :func:`parse`.
    """
    if raw.lstrip(b" \t\r\n")[:1] != b"[":
        return parse(raw)
    _check_utf8(raw)
    try:
        return _ARRAY.decode(raw)
    except msgspec.DecodeError as error:
        raise InvalidMessage(f"the body is not valid JSON: {error}", PARSE_ERROR) from None
    except RecursionError:
        raise InvalidMessage("the JSON is nested too deeply", PARSE_ERROR) from None


def object_members(raw: bytes | msgspec.Raw) -> Members:
    """Split a JSON object into its members, values as raw JSON; duplicate keys are refused.

    Keys that differ in case alone are duplicates too: several JSON libraries, Go's among them, match names
    regardless of case, and would see another value than the gateway did.

    Raises:
        InvalidMessage: -32600 when it is no object or a key comes twice.
    """
    try:
        members = _OBJECT.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        raise InvalidMessage("params must be a JSON object") from None
    _is_compact(raw, members, None)
    if len({key.casefold() for key in members}) != len(members):
        raise InvalidMessage("two keys of one object differ in case alone")
    return members


def replace_member(raw: bytes, path: tuple[str, ...], value: bytes) -> bytes:
    """Return a JSON object with the value at ``path`` (keys, outermost first) replaced by other raw JSON.

    Raises:
        KeyError: when there is no such member.
    """
    members = _OBJECT.decode(raw)
    key, rest = path[0], path[1:]
    inner = replace_member(bytes(members[key]), rest, value) if rest else value
    return _splice(raw, members, _is_compact(raw, members, None), key, inner)


def string(raw: bytes | msgspec.Raw | None) -> str | None:
    """Decode a raw JSON string; None when it is absent or something else."""
    if raw is None:
        return None
    try:
        return _STRING.decode(raw)
    except msgspec.DecodeError:
        return None


def one_line(raw: bytes) -> bytes:
    """Replace line breaks by spaces: valid JSON has them only between tokens, and stdio forbids them."""
    if b"\n" in raw or b"\r" in raw:
        return raw.replace(b"\r", b" ").replace(b"\n", b" ")
    return raw


def heal_surrogates(raw: bytes) -> bytes | None:
    r"""Replace escapes of unpaired surrogates by ``\ufffd``; None when there are none.

    Programs that cut text at a UTF-16 offset print half of a pair. Strict parsers refuse the whole message
    for it.
    """
    if b"\\ud" not in raw.lower():
        return None
    healed, count = _LONE_SURROGATE.subn(rb"\1\\ufffd", raw, MAX_HEALED)
    return healed if count else None


def response(id: bytes, result: bytes) -> bytes:
    """Write a JSON-RPC 2.0 response (section 5); ``id`` and ``result`` are raw JSON."""
    return b'{"jsonrpc":"2.0","id":' + id + b',"result":' + result + b"}"


def request(id: bytes, method: str, params: bytes) -> bytes:
    """Write a JSON-RPC 2.0 request (section 4); ``id`` and ``params`` are raw JSON."""
    name = msgspec.json.encode(method)
    return b'{"jsonrpc":"2.0","id":' + id + b',"method":' + name + b',"params":' + params + b"}"


def notification(method: str, params: bytes | None = None) -> bytes:
    """Write a JSON-RPC 2.0 notification (section 4.1); ``params`` is raw JSON."""
    tail = b"" if params is None else b',"params":' + params
    return b'{"jsonrpc":"2.0","method":' + msgspec.json.encode(method) + tail + b"}"


def _decode(raw: bytes) -> Members:
    try:
        return _OBJECT.decode(raw)
    except msgspec.ValidationError:
        raise InvalidMessage("a JSON-RPC message is a JSON object") from None
    except msgspec.DecodeError as error:
        raise InvalidMessage(f"the body is not valid JSON: {error}", PARSE_ERROR) from None
    except RecursionError:
        raise InvalidMessage("the JSON is nested too deeply", PARSE_ERROR) from None


def _classify(raw: bytes, members: Members) -> Message:
    if not _ENVELOPE.issuperset(members):
        _check_extensions(members)
    id = _valid_id(members.get("id"))  # noqa: A001
    compact = _is_compact(raw, members, id)
    version = members.get("jsonrpc")
    if version is None or string(version) != "2.0":
        raise InvalidMessage('"jsonrpc" must be "2.0"', INVALID_REQUEST, id)
    if "method" in members:
        method = string(members["method"])
        if method is None:
            raise InvalidMessage('"method" must be a string', INVALID_REQUEST, id)
        if "id" not in members:
            return Message(raw, members, Kind.NOTIFICATION, None, method, compact)
        if id is None:
            raise InvalidMessage('"id" must not be null')
        return Message(raw, members, Kind.REQUEST, id, method, compact)
    if ("result" in members) == ("error" in members):
        raise InvalidMessage(
            'a message has a "method", or else one of "result" and "error"', INVALID_REQUEST, id
        )
    return Message(raw, members, Kind.RESPONSE, id, "", compact)


def _valid_id(raw: msgspec.Raw | None) -> bytes | None:
    if raw is None:
        return None
    id = bytes(raw)  # noqa: A001
    if id == b"null":
        return None
    if len(id) > MAX_ID:
        raise InvalidMessage(f'"id" must be at most {MAX_ID} bytes long')
    if id[:1] == b'"' or id.lstrip(b"-").isdigit():
        return id
    raise InvalidMessage('"id" must be a string or an integer')


def _is_compact(raw: bytes | msgspec.Raw, members: Members, id: bytes | None) -> bool:
    """Tell whether the object has no white space between its members; refuse duplicate keys on the way.

    Without white space the length of the text follows from the members, so the common case costs a sum.
    """
    size = 1 + 4 * len(members) if members else 2
    for key, value in members.items():
        size += len(key) + _size(value)
    if size == _size(raw):
        return True
    _check_keys(bytes(raw), members, id)
    return False


def _check_keys(raw: bytes, members: Members, id: bytes | None) -> None:
    """Refuse duplicate keys: what was decoded, in its order, must be the whole text.

    Only the last of several equal keys is decoded, so that the walk then meets a key or a value it does not
    expect. Values are compared, not parsed again: a message costs the same however it is written.
    """
    at = raw.index(b"{") + 1
    for name, value in members.items():
        key = _KEY.match(raw, at)
        if key is None or _STRING.decode(key[1]) != name or not raw.startswith(bytes(value), key.end()):
            break
        after = _AFTER_VALUE.match(raw, key.end() + _size(value))
        if after is None:
            break
        at = after.end()
    else:
        if not members or raw[at - 1 : at] == b"}":
            return
    raise InvalidMessage("a key comes twice in one object", INVALID_REQUEST, id)


def _check_extensions(members: Members) -> None:
    """Bound the members that JSON-RPC does not know; refuse those that look like one it does.

    A JSON library that matches names regardless of case would take ``ID`` for the id.
    """
    if len(members) > MAX_MEMBERS:
        raise InvalidMessage(f"a message has at most {MAX_MEMBERS} members")
    for key in members:
        if key not in _ENVELOPE and key.casefold() in _ENVELOPE:
            raise InvalidMessage(f'write "{key.casefold()}" in lower case')


def _size(raw: bytes | msgspec.Raw) -> int:
    return memoryview(raw).nbytes


def _splice(raw: bytes, members: Members, compact: bool, key: str, value: bytes) -> bytes:
    if not compact:
        parts = [
            msgspec.json.encode(name) + b":" + (value if name == key else bytes(old))
            for name, old in members.items()
        ]
        return b"{" + b",".join(parts) + b"}"
    start = 1
    for name, old in members.items():
        start += len(name) + 3
        size = _size(old)
        if name == key:
            return b"".join((raw[:start], value, raw[start + size :]))
        start += size + 1
    raise KeyError(key)


def _check_utf8(raw: bytes) -> None:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidMessage(f"the body is not UTF-8 (byte {error.start})", PARSE_ERROR) from None
