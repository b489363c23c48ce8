"""Listen addresses: Go's ``host:port`` forms and Twisted's endpoint descriptions."""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from typing import Final

_DESCRIPTION: Final = re.compile(r"(?:tcp|tcp6|unix|systemd|ssl|tls|haproxy|fd):.+", re.DOTALL)
_HOST_PORT: Final = re.compile(r"(?:\[(?P<literal>[^\]]*)\]|(?P<host>[^:\[\]]*)):(?P<port>[A-Za-z0-9-]*)")
_MAX_PORT: Final = 65535


class BadAddress(ValueError):
    """A listen address cannot be understood; its text says what to write instead."""


@dataclass(frozen=True, slots=True)
class HostPort:
    """Where to listen for TCP connections.

    Attributes:
        host: an address or a name; empty for every address of the machine.
        port: the port, 0 for any free one.
    """

    host: str
    port: int


def parse_address(text: str) -> HostPort | str:
    """Read a listen address.

    Args:
        text: ``host:port``, ``:port``, ``[v6]:port`` or an endpoint description such as ``unix:/run/x``.

    Returns:
        A host and a port, or the description as it was.

    Raises:
        BadAddress: it is neither.
    """
    if _DESCRIPTION.fullmatch(text):
        return text
    match = _HOST_PORT.fullmatch(text)
    if match is None:
        raise BadAddress(f'"{text}" is not a listen address: write "host:port", ":port" or "[ipv6]:port"')
    host = match["host"] or ""
    if match["literal"] is not None:
        host = _literal(match["literal"], text)
    return HostPort(host, _port(match["port"], text))


def _literal(host: str, text: str) -> str:
    try:
        return str(ipaddress.IPv6Address(host))
    except ValueError:
        raise BadAddress(f'"{text}" is not a listen address: "{host}" is not an IPv6 address') from None


def _port(port: str, text: str) -> int:
    if port.isdecimal() or not port:
        number = int(port or "0")
    else:
        try:
            number = socket.getservbyname(port, "tcp")
        except OSError:
            raise BadAddress(f'"{text}" is not a listen address: no service is called "{port}"') from None
    if number > _MAX_PORT:
        raise BadAddress(f'"{text}" is not a listen address: a port is at most {_MAX_PORT}')
    return number
