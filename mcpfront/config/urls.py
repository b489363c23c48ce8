"""What may be wrong with URLs, origins, hosts and listen addresses: functions that return the fault."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

from mcpfront.config.reference import Pending

_LARGEST_PORT: Final = 65535
_HOST: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]")
_BASE_PATH: Final = re.compile(r"(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._~-]+)*/?")
_ADDRESS: Final = re.compile(r"(?P<host>[^:\[\]\s/]*|\[[0-9A-Fa-f:.%A-Za-z]+\]):(?P<port>[0-9]{1,5})")
_ENDPOINT: Final = re.compile(r"(?:tcp|tcp6|unix|systemd):\S+")
_WEB: Final = frozenset({"http", "https"})


def base_url_fault(text: str) -> str | None:
    """Say what is wrong with the gateway's own URL."""
    if isinstance(text, Pending):
        return None
    url = _split(text)
    if url is None or (fault := web_url_fault(text)):
        return fault if url else _NO_URL
    if url.query or url.fragment or "?" in text or "#" in text:
        return "must not have a query or a fragment"
    if not _BASE_PATH.fullmatch(url.path):
        return "must have a path of plain segments (letters, digits, - . _ ~), such as /mcp"
    return None


def web_url_fault(text: str) -> str | None:
    """Say what is wrong with an absolute http or https URL."""
    if isinstance(text, Pending):
        return None
    url = _split(text)
    if url is None:
        return _NO_URL
    if url.scheme not in _WEB:
        return "must start with https:// or http://"
    if not _HOST.fullmatch(_bare_host(url)):
        return "must name a host, such as https://mcp.example.com"
    if "@" in url.netloc:
        return "must not hold a user name or password"
    return None


def origin_fault(text: str) -> str | None:
    """Say what is wrong with an entry of a list of allowed origins (RFC 6454 section 6.2)."""
    if text == "*":
        return None
    if fault := web_url_fault(text):
        return f"{fault}; an origin looks like https://app.example.com"
    url = urlsplit(text)
    if url.path or url.query or url.fragment or text[-1] in "?#":
        return "must be an origin, scheme and host without a path, such as https://app.example.com"
    return None


def host_fault(text: str) -> str | None:
    """Say what is wrong with an entry of the list of allowed hosts (RFC 9110 section 7.2)."""
    host, separator, port = text.rpartition(":")
    if not separator or text.endswith("]"):
        host, port = text, "0"
    if not _HOST.fullmatch(host) or not _is_port(port):
        return "must be a host or host:port without a scheme, such as mcp.example.com"
    return None


def address_fault(text: str) -> str | None:
    """Say what is wrong with a listen address."""
    if isinstance(text, Pending) or _ENDPOINT.fullmatch(text):
        return None
    found = _ADDRESS.fullmatch(text)
    if not found or not _is_port(found["port"]):
        return "must be host:port or :port with a number as the port, such as 127.0.0.1:8080 or :8080"
    return None


_NO_URL: Final = "must be a URL, such as https://mcp.example.com"


def _split(text: str) -> SplitResult | None:
    if not text.isascii() or any(character <= " " or character in '\x7f\\"<>' for character in text):
        return None
    try:
        url = urlsplit(text)
        url.port  # noqa: B018 - the port is parsed when it is asked for
    except ValueError:
        return None
    return url


def _bare_host(url: SplitResult) -> str:
    host = url.hostname or ""
    return f"[{host}]" if ":" in host else host


def _is_port(text: str) -> bool:
    return (
        text.isascii()
        and text.isdigit()
        and len(text) <= len(str(_LARGEST_PORT))
        and int(text) <= _LARGEST_PORT
    )
