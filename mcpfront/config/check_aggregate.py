"""Rules of a server that gathers the tools of others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from mcpfront.config.check_server import DIRECT_ONLY, check_filter
from mcpfront.config.finish import members
from mcpfront.config.model import Server
from mcpfront.config.problem import Findings, Path

_DELIMITER: Final = re.compile(r"[A-Za-z0-9_.-]{1,16}")


def check_aggregate(name: str, server: Server, servers: Mapping[str, Server], findings: Findings) -> None:
    """Check a server of type aggregate.

    Args:
        name: its name.
        server: itself.
        servers: all servers of the file.
        findings: takes the problems.
    """
    path: Path = ("mcpServers", name)
    findings.note((*path, "type"), 'is "aggregate"; this version serves single servers only and answers 501')
    for key in sorted(DIRECT_ONLY):
        if (*path, key) in findings.given:
            findings.error((*path, key), 'has no meaning with type "aggregate"; remove it')
    if server.transport_type in {"stdio", "inline"} and findings.sound((*path, "transportType")):
        findings.error((*path, "transportType"), 'must be "sse" or "streamable-http" with type "aggregate"')
    check_filter(server.options.tool_filter, (*path, "options", "toolFilter"), findings)
    if (*path, "options") in findings.given:
        findings.note((*path, "options"), "has no effect on an aggregate; give options to its members")
    _delimiter(server.delimiter, (*path, "delimiter"), findings)
    _discovery(server, (*path, "discovery"), findings)
    _members(name, server, servers, findings)


def _delimiter(delimiter: str, path: Path, findings: Findings) -> None:
    if not findings.sound(path):
        return
    if not delimiter:
        findings.warning(path, 'is empty, so "." is used; remove it')
    elif not _DELIMITER.fullmatch(delimiter):
        findings.error(
            path, "must be up to 16 letters, digits, or any of _ . - so that tool names stay valid"
        )


def _discovery(server: Server, path: Path, findings: Findings) -> None:
    given = {(*path, "timeout"), (*path, "cacheTtl")} <= findings.given
    if given and findings.sound(path) and server.discovery.timeout >= server.discovery.cache_ttl:
        findings.warning(path, "timeout is not shorter than cacheTtl, so answers are old when they arrive")


def _members(name: str, server: Server, servers: Mapping[str, Server], findings: Findings) -> None:
    path: Path = ("mcpServers", name, "servers")
    if not findings.sound(path):
        return
    chosen = members(dict(servers)) if server.servers is None else server.servers
    if not chosen and findings.sound(("mcpServers",)):
        findings.error(path, "leaves nothing to gather; name at least one server")
    for index, member in enumerate(chosen):
        at = path if server.servers is None else (*path, index)
        if fault := _member_fault(member, name, chosen[:index], servers, findings):
            findings.error(at, fault)
        elif server.delimiter and server.delimiter in member:
            findings.error(at, "has a member whose name holds the delimiter; choose another delimiter")
        elif member in servers and servers[member].transport_type == "stdio":
            findings.note(at, "has a stdio member: each user starts a process of it")


def _member_fault(
    member: str, name: str, earlier: list[str], servers: Mapping[str, Server], findings: Findings
) -> str | None:
    found = servers.get(member)
    if member == name:
        return "must not be the aggregate itself"
    if member in earlier:
        return "is named twice"
    if found is None:
        known = ("mcpServers", member) in findings.refused
        return None if known else "is not a server of this file"
    if found.type == "aggregate":
        return "must not be an aggregate"
    if found.transport_type == "inline":
        return "must not be an inline server"
    return None
