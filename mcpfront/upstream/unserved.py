"""A configured server of a kind that this version cannot reach: callers are told so."""

from __future__ import annotations

from mcpfront.authn.base import Principal
from mcpfront.errors import NotServed
from mcpfront.upstream.base import Connection


class UnservedUpstream:
    """A server that cannot be reached.

    Args:
        name: its name in the config.
        kind: its transport or type.
    """

    def __init__(self, name: str, kind: str) -> None:
        self.name = name
        self.kind = kind

    async def open(self, principal: Principal, params: bytes) -> Connection:  # noqa: ARG002
        """Refuse.

        Raises:
            NotServed: always.
        """
        raise NotServed(
            f"the server '{self.name}' is of the kind '{self.kind}', which this version does not serve"
        )

    def start(self) -> None:
        """Begin nothing."""

    async def close(self) -> None:
        """End nothing."""
