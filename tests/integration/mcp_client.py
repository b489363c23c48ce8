"""A client made with PyPI ``mcp``, in a process of its own: it lists the tools, calls one, and prints JSON.

``python -m tests.integration.mcp_client URL http|sse TOOL ARGUMENTS``; the bearer token is in ``TOKEN``.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import anyio
import mcp_types as types
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client


def connect(url: str, transport: str) -> Any:
    """Return the transport to a URL, with the token in its requests."""
    headers = {"Authorization": f"Bearer {os.environ['TOKEN']}"}
    if transport == "sse":
        return sse_client(url, headers=headers)
    return streamable_http_client(url, http_client=create_mcp_http_client(headers=headers))


async def answer(_context: Any, params: types.ElicitRequestParams) -> types.ElicitResult:
    """Answer every question with its own words."""
    return types.ElicitResult(action="accept", content={"answer": params.message})


async def talk(url: str, transport: str, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """List the tools and call one; return what came."""
    progress: list[float] = []

    async def progressed(done: float, _total: float | None, _message: str | None) -> None:
        progress.append(done)

    async with Client(connect(url, transport), elicitation_callback=answer) as client:
        tools = await client.list_tools()
        result = await client.call_tool(tool, arguments, progress_callback=progressed)
        return {
            "tools": [one.name for one in tools.tools],
            "content": [getattr(block, "text", "") for block in result.content],
            "progress": progress,
        }


def main() -> int:
    """Print the outcome of one conversation as JSON."""
    url, transport, tool, arguments = sys.argv[1:]
    print(json.dumps(anyio.run(talk, url, transport, tool, json.loads(arguments))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
