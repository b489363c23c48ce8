"""Host, Origin and CORS: which names the gateway answers to, and which web pages may talk to it.

Source: MCP transports, "Security Warning" (DNS rebinding); the Fetch standard, section 3.3 (CORS protocol).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from mcpfront.errors import Forbidden
from mcpfront.listen.exchange import Exchange, HeaderList

_METHODS: Final = b"GET, POST, DELETE, OPTIONS"
_REQUEST_HEADERS: Final = (
    b"Content-Type, Authorization, Accept, Cache-Control, Last-Event-ID, "
    b"Mcp-Session-Id, MCP-Protocol-Version, Mcp-Method, Mcp-Name"
)
_EXPOSED: Final = b"WWW-Authenticate, Mcp-Session-Id, MCP-Protocol-Version, Retry-After"
_MAX_AGE: Final = b"3600"
_PARAM: Final = re.compile(rb"(?i)mcp-param-[!#$%&'*+.^_`|~0-9a-z-]+")
_MAX_PARAMS: Final = 64
_MAX_REQUESTED: Final = 8192
_HOST: Final = re.compile(r"(\[[0-9a-f:.]+\]|[^:\[\]]+)(?::([0-9]{0,5}))?")
_WEB_ORIGIN: Final = re.compile(r"https?://(\[[0-9a-f:.]+\]|[^:/?#@\[\]\\\s]+)(?::[0-9]{1,5})?")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_VARY: Final = (b"Vary", b"Origin")
_EXPOSE: Final = (b"Access-Control-Expose-Headers", _EXPOSED)

_HOST_ADVICE: Final = (
    'this gateway does not answer to the host name of the request: add it to "proxy.allowedHosts"'
)
_ORIGIN_ADVICE: Final = 'web pages of this origin may not use the gateway: add it to "proxy.allowedOrigins"'


class Guard:
    """Check Host and Origin of requests and add the CORS headers of their answers.

    Args:
        base_url: the public URL; its host, with its port, is always allowed. With a loopback host every
            spelling of loopback is allowed as Host and as Origin, on any port.
        allowed_hosts: more hosts, each ``host`` for any port or ``host:port``; ``*`` allows every host.
        origins: web origins such as ``https://app.example``; ``*`` allows every origin but ``null``.
    """

    def __init__(self, base_url: str, allowed_hosts: Iterable[str], origins: Iterable[str]) -> None:
        url = urlsplit(base_url)
        scheme, host = url.scheme.lower(), _lower(url.hostname or "")
        default = _DEFAULT_PORTS.get(scheme)
        port = url.port or default
        self._loopback = _is_loopback(host)
        self._hosts = frozenset(_lower(entry) for entry in allowed_hosts) | {f"{_bracketed(host)}:{port}"}
        if port == default:
            self._hosts |= {_bracketed(host) + ":"}
        listed = {_origin(entry) for entry in origins}
        self._any_origin = "*" in listed
        self._origins = frozenset(listed | {_origin(f"{scheme}://{url.netloc}")})

    def check(self, exchange: Exchange) -> None:
        """Let a request pass and add what its answer owes to web pages.

        Raises:
            Forbidden: its Host or its Origin is not allowed.
        """
        exchange.add_header(*_VARY)
        if not self.allows_host(exchange.header(b"host") or b""):
            raise Forbidden(_HOST_ADVICE)
        origins = exchange.headers(b"origin")
        if not origins:
            return
        if len(origins) > 1 or not self.allows_origin(origins[0]):
            raise Forbidden(_ORIGIN_ADVICE)
        exchange.add_header(b"Access-Control-Allow-Origin", origins[0])
        exchange.add_header(*_EXPOSE)

    def preflight(self, exchange: Exchange) -> bool:
        """Answer a CORS preflight that has passed ``check``; tell whether the request was one."""
        asked = exchange.header(b"access-control-request-method")
        if exchange.method != b"OPTIONS" or asked is None or exchange.header(b"origin") is None:
            return False
        requested = exchange.header(b"access-control-request-headers") or b""
        headers = [
            (b"Access-Control-Allow-Methods", _METHODS),
            (b"Access-Control-Allow-Headers", _REQUEST_HEADERS + _parameters(requested)),
            (b"Access-Control-Max-Age", _MAX_AGE),
            (b"Vary", b"Access-Control-Request-Method, Access-Control-Request-Headers"),
        ]
        exchange.respond(204, headers, b"")
        return True

    def cors(self, origin: bytes | None) -> HeaderList:
        """Return the headers with which a web page may read an answer, the empty list where it may not."""
        if origin is None or not self.allows_origin(origin):
            return []
        return [_VARY, (b"Access-Control-Allow-Origin", origin), _EXPOSE]

    def allows_host(self, raw: bytes) -> bool:
        """Tell whether a Host header names this gateway."""
        match = _HOST.fullmatch(_lower(raw.decode("latin-1")))
        if match is None:
            return False
        host, port = match.group(1).rstrip("."), match.group(2) or ""
        if not self._hosts.isdisjoint((f"{host}:{port}", host, "*")):
            return True
        return self._loopback and _is_loopback(host.strip("[]"))

    def allows_origin(self, raw: bytes) -> bool:
        """Tell whether an Origin header is that of an allowed web page; ``null`` never is."""
        text = raw.decode("latin-1")
        if text.lower() == "null":
            return False
        origin = _origin(text)
        if self._any_origin or origin in self._origins:
            return True
        return self._loopback and _is_loopback(_hostname(origin))


def _lower(text: str) -> str:
    return text.strip().lower()


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _origin(text: str) -> str:
    """Write an origin as browsers do: lower case, no slash at the end, no default port."""
    text = _lower(text).rstrip("/")
    scheme, _, rest = text.partition("://")
    port = _DEFAULT_PORTS.get(scheme)
    return text.removesuffix(f":{port}") if rest and port else text


def _hostname(origin: str) -> str:
    """Return the host of a web page's origin, empty for anything else (RFC 6454 section 6.2)."""
    match = _WEB_ORIGIN.fullmatch(origin)
    return "" if match is None else match.group(1).strip("[]")


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _parameters(requested: bytes) -> bytes:
    """Return the requested ``Mcp-Param-*`` header names that are well-formed, ready to be appended."""
    names = (name.strip() for name in requested[:_MAX_REQUESTED].split(b","))
    found = [name for name in names if _PARAM.fullmatch(name)][:_MAX_PARAMS]
    return b"".join(b", " + name for name in found)
