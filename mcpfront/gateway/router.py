"""From a path to a server and one of its transports, by one look into a prepared table."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from mcpfront.gateway.server import Server


class Leaf(Enum):
    """What a path below a server's name stands for."""

    MCP = "mcp"
    SSE = "sse"
    MESSAGE = "message"


@dataclass(frozen=True, slots=True)
class Route:
    """Where a path leads."""

    server: Server
    leaf: Leaf


_PATHS = {"": Leaf.MCP, "/": Leaf.MCP, "/mcp": Leaf.MCP, "/mcp/": Leaf.MCP, "/sse": Leaf.SSE, "/sse/":
Leaf.SSE,
          "/message": Leaf.MESSAGE, "/message/": Leaf.MESSAGE}  # fmt: skip


def routes(base_path: str, servers: list[Server]) -> dict[bytes, Route]:
    """Prepare the table.

    Args:
        base_path: the path of the gateway's public URL, empty or ``/x``.
        servers: every configured server.

    Returns:
        Raw paths, without query, and where they lead. A path that is not in it is none of a server's.
    """
    return {
        f"{base_path}/{server.name}{tail}".encode(): Route(server, leaf)
        for server in servers
        for tail, leaf in _PATHS.items()
    }
