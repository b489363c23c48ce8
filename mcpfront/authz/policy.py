"""Which tools of a server exist for clients: pure decisions, prepared when the config is loaded."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from mcpfront.config.model import ToolFilter
from mcpfront.errors import InvalidMessage
from mcpfront.protocol.jsonrpc import object_members, replace_member, string

_CALL: Final = "tools/call"
_NO_TOOLS: Final = b'{"tools":[]}'
_ARRAY: Final = msgspec.json.Decoder(list[msgspec.Raw])


class Policy:
    """Decide which tools may be listed and called; the same decision for both.

    Args:
        tool_filter: ``allow`` makes only the listed tools exist, ``block`` all but these; None or no mode
            allows everything.
    """

    def __init__(self, tool_filter: ToolFilter | None) -> None:
        self._mode = "" if tool_filter is None else tool_filter.mode
        self._names = frozenset(() if tool_filter is None else tool_filter.list)

    @property
    def unrestricted(self) -> bool:
        """Whether everything is allowed, so that nothing needs to be asked."""
        return not self._mode

    def allows(self, method: str, name: str | None) -> bool:
        """Tell whether a method may be called.

        Args:
            method: the JSON-RPC method; only ``tools/call`` is ever refused.
            name: the tool's name, None when the call names none; where there is a filter that is refused.
        """
        return method != _CALL or self._allows_tool(name)

    def filter_tools(self, result: bytes) -> bytes:
        """Return a raw ``tools/list`` result without the tools that may not be called.

        Every other byte is kept: unknown members, their order, numbers, ``nextCursor`` and the kept tools.
        A tool that cannot be judged (no object, no name, a key twice) is left out; a result that cannot be
        taken apart becomes an empty list.

        Args:
            result: the raw JSON of the ``result`` member.
        """
        if self.unrestricted:
            return result
        try:
            tools = object_members(result).get("tools")
            return result if tools is None else self._splice(result, _ARRAY.decode(tools))
        except (InvalidMessage, msgspec.DecodeError):
            return _NO_TOOLS

    def _splice(self, result: bytes, tools: list[msgspec.Raw]) -> bytes:
        kept = [bytes(tool) for tool in tools if self._allows_tool(_name(tool))]
        if len(kept) == len(tools):
            return result
        return replace_member(result, ("tools",), _array(kept))

    def _allows_tool(self, name: str | None) -> bool:
        if self.unrestricted:
            return True
        return name is not None and (name in self._names) == (self._mode == "allow")


def _name(tool: msgspec.Raw) -> str | None:
    try:
        return string(object_members(tool).get("name"))
    except InvalidMessage:
        return None


def _array(items: Iterable[bytes]) -> bytes:
    return b"[" + b",".join(items) + b"]"
