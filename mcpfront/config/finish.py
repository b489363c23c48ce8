"""What a sound config says without words: the values that follow from others."""

from __future__ import annotations

from msgspec.structs import replace

from mcpfront.config.model import STDIO_TIMEOUT, Config, Options, Proxy, Server


def finish(config: Config) -> Config:
    """Fill in what follows from other values."""
    servers = {name: _server(name, server, config.mcp_servers) for name, server in config.mcp_servers.items()}
    return replace(config, proxy=_proxy(config.proxy), mcp_servers=servers)


def members(servers: dict[str, Server]) -> list[str]:
    """Return the members of an aggregate that names none: all servers but aggregates and inline ones."""
    return sorted(
        name
        for name, server in servers.items()
        if server.type == "direct" and server.transport_type != "inline"
    )


def _proxy(proxy: Proxy) -> Proxy:
    auth = proxy.auth and replace(proxy.auth, storage=proxy.auth.storage or "memory")
    return replace(proxy, base_url=proxy.base_url.rstrip("/"), auth=auth)


def _server(name: str, server: Server, servers: dict[str, Server]) -> Server:
    server = replace(server, name=name, options=_options(server.options))
    if server.type == "aggregate":
        return replace(
            server,
            transport_type=server.transport_type or "sse",
            servers=members(servers) if server.servers is None else server.servers,
            delimiter=server.delimiter or ".",
        )
    if server.transport_type == "stdio" and not server.timeout:
        return replace(server, timeout=STDIO_TIMEOUT)
    return server


def _options(options: Options) -> Options:
    chosen = options.tool_filter
    return options if chosen is None or chosen.list else replace(options, tool_filter=None)
