"""The MCP server that ships with the package, started by ``mcpfront demo``.

Owns a whole server in small: ``catalog`` is what it offers, ``server`` and ``messages`` are the protocol,
``main`` the loop on stdin and stdout. It uses the standard library alone, to start
fast, and knows nothing of the gateway.
"""

from mcpfront.demo.main import main

__all__ = ["main"]
