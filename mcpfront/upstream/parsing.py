"""What a server's line means, read as generously as can be done without guessing."""

from __future__ import annotations

import msgspec

from mcpfront.errors import InvalidMessage
from mcpfront.protocol import jsonrpc, mcp
from mcpfront.protocol.jsonrpc import Message


def messages_of(line: bytes) -> list[Message]:
    """Parse a line: one message, or a batch of them (MCP 2025-03-26).

    Bytes that are no UTF-8 become U+FFFD: programs print text of other encodings inside sound messages.

    Raises:
        InvalidMessage: it is neither.
    """
    if not line.isascii():
        line = line.decode("utf-8", "replace").encode()
    if line[:1] != b"[":
        return [jsonrpc.parse(line)]
    parsed = jsonrpc.parse_body(line)
    if isinstance(parsed, Message):
        return [parsed]
    return [jsonrpc.parse(bytes(member)) for member in parsed]


def spoilt_response(line: bytes, error: InvalidMessage) -> bytes | None:
    """Return the id (raw JSON) of a malformed response, None when the line is not one."""
    if error.id is None:
        return None
    try:
        members = jsonrpc.object_members(line)
    except InvalidMessage:
        return None
    return None if "method" in members else error.id


def member_at(raw: bytes, *path: str) -> bytes | None:
    """Return the raw JSON at ``path`` inside an object, None when there is none."""
    for name in path:
        try:
            found = jsonrpc.object_members(raw).get(name)
        except InvalidMessage:
            return None
        if found is None:
            return None
        raw = bytes(found)
    return raw


def progress_token(message: Message, strict: bool) -> bytes | None:
    """Return the raw ``_meta.progressToken`` of a request, None when it has none.

    Args:
        message: a request.
        strict: whether a token must not be overlooked.

    Raises:
        InvalidMessage: strict, and the params are such that readers may differ in what they see.
    """
    if strict:
        return _token_for_any_reader(message)
    if b"progressToken" not in message.raw and b"\\u" not in message.raw:
        return None
    try:
        return _token(message.params)
    except InvalidMessage:
        return None


def capabilities_of(params: bytes) -> frozenset[str]:
    """Return the names of the capabilities that a client declares in its ``initialize`` params."""
    declared = member_at(params, "capabilities")
    try:
        return frozenset(jsonrpc.object_members(declared or b"{}"))
    except InvalidMessage:
        return frozenset()


def result_for(params: bytes, result: bytes) -> bytes:
    """Return an InitializeResult for a client that joins a running process.

    A client that asks for an older revision than the process speaks gets its own: it might refuse a newer
    one, and between the revisions of one era messages differ by additions only.

    Args:
        params: the raw ``initialize`` params of the client.
        result: the raw InitializeResult of the process.
    """
    wanted = jsonrpc.string(member_at(params, "protocolVersion"))
    spoken = jsonrpc.string(member_at(result, "protocolVersion"))
    if wanted in mcp.REVISIONS and spoken in mcp.REVISIONS and wanted < spoken:
        return jsonrpc.replace_member(result, ("protocolVersion",), b'"' + wanted.encode() + b'"')
    return result


def same(one: bytes | None, other: bytes | None) -> bool:
    """Tell whether two pieces of raw JSON mean the same."""
    if one is None or other is None:
        return one is other
    return bool(one == other or msgspec.json.decode(one) == msgspec.json.decode(other))


def _token_for_any_reader(message: Message) -> bytes | None:
    """Return the progress token; refuse spellings that only a reader which ignores case takes for one."""
    raw = message.raw
    if raw.isascii() and b"\\u" not in raw and b"progresstoken" not in raw.lower():
        return None
    params = message.params
    _refuse_look_alikes(params, "_meta")
    _refuse_look_alikes(_object_in(params, "_meta"), "progressToken")
    return _token(params)


def _token(params: bytes) -> bytes | None:
    meta = _object_in(params, "_meta")
    return None if meta is None else _value_in(meta, "progressToken")


def _refuse_look_alikes(raw: bytes | None, name: str) -> None:
    if raw is None or raw[:1] != b"{":
        return
    wanted = name.casefold()
    if any(key != name and key.casefold() == wanted for key in jsonrpc.object_members(raw)):
        raise InvalidMessage(f'write "{name}" in exactly these letters')


def _object_in(raw: bytes, name: str) -> bytes | None:
    found = _value_in(raw, name) if raw[:1] == b"{" else None
    return found if found is not None and found[:1] == b"{" else None


def _value_in(raw: bytes, name: str) -> bytes | None:
    found = jsonrpc.object_members(raw).get(name)
    return None if found is None else bytes(found)
