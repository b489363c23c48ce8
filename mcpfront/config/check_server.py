"""Rules of one server that is not an aggregate."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from mcpfront.config.check_auth import check_user_authentication
from mcpfront.config.model import Inline, Server, Template, ToolFilter
from mcpfront.config.problem import Findings, Path
from mcpfront.config.reference import Pending
from mcpfront.config.urls import web_url_fault

_REMOTE: Final = frozenset({"sse", "streamable-http"})
_STDIO: Final = frozenset({"stdio"})
_APPLIES: Final[dict[str, frozenset[str]]] = {
    "command": _STDIO,
    "args": _STDIO,
    "env": _STDIO,
    "cwd": _STDIO,
    "envPassthrough": _STDIO,
    "isolation": _STDIO,
    "warm": _STDIO,
    "handshakeTimeout": _STDIO,
    "url": _REMOTE,
    "headers": _REMOTE,
    "timeout": _REMOTE | _STDIO,
    "inline": frozenset({"inline"}),
    "servers": frozenset(),
    "delimiter": frozenset(),
    "discovery": frozenset(),
}
"""Each key that only some transports have."""

DIRECT_ONLY: Final = frozenset(
    {key for key, transports in _APPLIES.items() if transports} | {"requiresUserToken", "userAuthentication"}
)
"""Keys that an aggregate does not have."""

_CONTRADICTS: Final = frozenset({"command", "url"})
_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_IN_HOST: Final = "token-in-host"


def check_direct(path: Path, server: Server, findings: Findings) -> None:
    """Check a server of type direct."""
    transport = server.transport_type
    if findings.sound((*path, "transportType")):
        if not transport:
            findings.error(
                (*path, "transportType"), 'is required: "stdio", "sse", "streamable-http" or "inline"'
            )
        else:
            _transport(transport, server, path, findings)
    check_filter(server.options.tool_filter, (*path, "options", "toolFilter"), findings)
    _user_token(server, path, findings)


def check_filter(chosen: ToolFilter | None, path: Path, findings: Findings) -> None:
    """Check ``options.toolFilter``."""
    if chosen is None or not findings.sound(path):
        return
    if chosen.list and not chosen.mode:
        findings.error((*path, "mode"), 'is required with a list: "allow" or "block"')
    if chosen.mode == "allow" and not chosen.list:
        findings.error(
            (*path, "list"), "is empty, so no tool is allowed; list the tools or remove toolFilter"
        )


def _transport(transport: str, server: Server, path: Path, findings: Findings) -> None:
    for key, transports in _APPLIES.items():
        if (*path, key) in findings.given and transport not in transports:
            report = findings.error if key in _CONTRADICTS else findings.warning
            report((*path, key), f'has no meaning with transportType "{transport}"; remove it')
    if transport == "stdio":
        _stdio(server, path, findings)
        return
    findings.note(
        (*path, "transportType"), f'is "{transport}"; this version serves stdio only and answers 501'
    )
    if transport == "inline":
        _inline(server.inline, (*path, "inline"), findings)
    else:
        _remote(server, path, findings)


def _stdio(server: Server, path: Path, findings: Findings) -> None:
    _require("command", 'is required with transportType "stdio"', path, findings)
    if " " in server.command and not server.args:
        findings.note((*path, "command"), 'holds a space; arguments belong in "args"')
    for name in server.env:
        _variable(name, (*path, "env", name), findings)
    for index, name in enumerate(server.env_passthrough):
        _variable(name, (*path, "envPassthrough", index), findings)
    if server.cwd is not None and not isinstance(server.cwd, Pending) and not server.cwd.startswith("/"):
        findings.error((*path, "cwd"), "must be an absolute path")
    _sharing(server, path, findings)


def _sharing(server: Server, path: Path, findings: Findings) -> None:
    """Keep users apart: a process that knows one user's token serves nobody else."""
    personal = server.requires_user_token or any(
        template.needs_token for _, template in _templates(server, path)
    )
    if server.isolation == "shared" and personal:
        findings.error((*path, "isolation"), 'cannot be "shared" when users bring tokens of their own')
    if server.isolation == "user" and not server.service_auths and ("proxy", "auth") not in findings.given:
        findings.warning((*path, "isolation"), 'cannot tell users apart on an open server; use "session"')
    if server.warm and server.isolation != "session":
        findings.error((*path, "warm"), 'needs isolation "session"')
    if server.warm and personal:
        findings.error((*path, "warm"), "cannot be used when users bring tokens of their own")


def _remote(server: Server, path: Path, findings: Findings) -> None:
    _require("url", f'is required with transportType "{server.transport_type}"', path, findings)
    if server.url is not None and server.url.known:
        _remote_url(server.url, (*path, "url"), findings)
    for name, value in server.headers.items():
        at = (*path, "headers", name)
        if not _HEADER.fullmatch(name):
            findings.error(at, "is no header name")
        if value.known and not _fits_header(value.render("x")):
            findings.error(at, "must not hold line breaks or other control characters")


def _remote_url(url: Template, path: Path, findings: Findings) -> None:
    if fault := web_url_fault(url.render("x")):
        findings.error(path, fault)
    elif _IN_HOST in url.render(_IN_HOST).partition("://")[2].partition("/")[0]:
        findings.error(path, "must not take its host from a user's token")


def _inline(inline: Inline | None, path: Path, findings: Findings) -> None:
    _require("inline", 'is required with transportType "inline"', path[:-1], findings)
    if inline is None:
        return
    if not inline.tools and findings.sound(path):
        findings.warning((*path, "tools"), "is empty; the server has nothing to offer")
    names = [tool.name for tool in inline.tools]
    for index, tool in enumerate(inline.tools):
        if tool.name in names[:index] and not isinstance(tool.name, Pending):
            findings.error((*path, "tools", index, "name"), "is the name of an earlier tool")
        for name in tool.env:
            _variable(name, (*path, "tools", index, "env", name), findings)


def _user_token(server: Server, path: Path, findings: Findings) -> None:
    given = findings.given
    if server.requires_user_token:
        if ("proxy", "auth") not in given:
            findings.error(
                (*path, "requiresUserToken"), "needs proxy.auth: only people who sign in have tokens"
            )
        if (*path, "userAuthentication") not in given:
            findings.error((*path, "userAuthentication"), "is required with requiresUserToken")
    elif (*path, "userAuthentication") in given and findings.sound((*path, "requiresUserToken")):
        findings.note((*path, "userAuthentication"), "has no effect without requiresUserToken")
    if server.user_authentication is not None:
        check_user_authentication(server.user_authentication, (*path, "userAuthentication"), findings)
    if server.requires_user_token or not findings.sound((*path, "requiresUserToken")):
        return
    for at, template in _templates(server, path):
        if template.needs_token:
            findings.warning(
                at, "needs requiresUserToken; without it the server is refused when it is to start"
            )


def _templates(server: Server, path: Path) -> Iterator[tuple[Path, Template]]:
    if server.url is not None:
        yield (*path, "url"), server.url
    yield from (((*path, "args", index), template) for index, template in enumerate(server.args))
    yield from (((*path, "env", name), template) for name, template in server.env.items())
    yield from (((*path, "headers", name), template) for name, template in server.headers.items())


def _require(key: str, message: str, path: Path, findings: Findings) -> None:
    if (*path, key) not in findings.given | findings.refused:
        findings.error((*path, key), message)


def _variable(name: str, path: Path, findings: Findings) -> None:
    if not name or "=" in name or "\0" in name:
        findings.error(path, "is no name of an environment variable")


def _fits_header(value: str) -> bool:
    return not any((character < " " and character != "\t") or character == "\x7f" for character in value)
