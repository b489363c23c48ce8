"""The rules across keys that a config file must keep; the same for running and for validating."""

from __future__ import annotations

import re
from typing import Final

from mcpfront.config.check_aggregate import check_aggregate
from mcpfront.config.check_auth import check_auth
from mcpfront.config.check_server import check_direct
from mcpfront.config.check_service_auth import check_service_auths
from mcpfront.config.model import Config, Limits, Proxy, Server, Sessions
from mcpfront.config.problem import Findings, Path
from mcpfront.config.urls import address_fault, base_url_fault, host_fault, origin_fault

VERSION: Final = "v0.0.1-DEV_EDITION"
"""What the version of the format starts with."""

RESERVED: Final = frozenset(
    {
        ".well-known",
        "authorize",
        "clients",
        "health",
        "jwks",
        "metrics",
        "my",
        "oauth",
        "ready",
        "register",
        "revoke",
        "token",
    }
)
"""First path segments of the gateway's own pages."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")


def check(config: Config, findings: Findings) -> None:
    """Check what single values cannot show.

    Args:
        config: the config as read, with unknown texts where values were refused.
        findings: takes the problems.
    """
    if () in findings.refused:
        return
    if findings.sound(("version",)) and not config.version.startswith(VERSION):
        findings.error(("version",), f'is not supported; it must start with "{VERSION}"')
    if ("proxy",) not in findings.refused:
        _proxy(config.proxy, findings)
    if findings.sound(("mcpServers",)) and not config.mcp_servers:
        findings.note(("mcpServers",), "is empty; there is nothing to serve")
    for name, server in config.mcp_servers.items():
        _server(name, server, config, findings)


def _proxy(proxy: Proxy, findings: Findings) -> None:
    path: Path = ("proxy",)
    if fault := base_url_fault(proxy.base_url):
        findings.error((*path, "baseURL"), fault)
    if fault := address_fault(proxy.addr):
        findings.error((*path, "addr"), fault)
    for index, host in enumerate(proxy.allowed_hosts):
        if fault := host_fault(host):
            findings.error((*path, "allowedHosts", index), fault)
    _origins(proxy.allowed_origins, (*path, "allowedOrigins"), findings)
    _sessions(proxy.sessions, (*path, "sessions"), findings)
    _limits(proxy.limits, (*path, "limits"), findings)
    if proxy.auth:
        _origins(proxy.auth.allowed_origins, (*path, "auth", "allowedOrigins"), findings)
        check_auth(proxy.auth, (*path, "auth"), findings)


def _origins(origins: list[str], path: Path, findings: Findings) -> None:
    for index, origin in enumerate(origins):
        if fault := origin_fault(origin):
            findings.error((*path, index), fault)


def _sessions(sessions: Sessions, path: Path, findings: Findings) -> None:
    if sessions.cleanup_interval > sessions.timeout:
        findings.warning(
            path, "cleanupInterval is longer than timeout, so idle sessions live longer than they should"
        )
    if sessions.max_per_user == 0:
        findings.note((*path, "maxPerUser"), "is 0, so one user may start any number of processes")


def _limits(limits: Limits, path: Path, findings: Findings) -> None:
    if limits.body_unauthenticated > limits.body:
        findings.warning(
            (*path, "bodyUnauthenticated"), "is larger than body, which is the limit for everybody"
        )


def _server(name: str, server: Server, config: Config, findings: Findings) -> None:
    path: Path = ("mcpServers", name)
    if name in RESERVED:
        findings.error(
            path, "is a reserved name: its URL is one of the gateway's own pages; choose another name"
        )
    elif not _NAME.fullmatch(name):
        findings.error(
            path,
            "is no name for a server; use letters, digits, _ and -, a letter or digit first, at most 128",
        )
    if not findings.sound((*path, "type")):
        return
    if server.type == "aggregate":
        check_aggregate(name, server, config.mcp_servers, findings)
    else:
        check_direct(path, server, findings)
    check_service_auths(server.service_auths, (*path, "serviceAuths"), findings)
    if ("proxy", "auth") not in findings.given and (
        *path,
        "serviceAuths",
    ) not in findings.given | findings.refused:
        findings.note(path, "is open to everybody who can reach the gateway; add serviceAuths")
