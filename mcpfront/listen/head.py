"""Rules for the head of a request that the HTTP engine leaves open."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from twisted.web.http_headers import Headers

from mcpfront.errors import McpfrontError

_VISIBLE: Final = re.compile(rb"[\x21-\x7e]+")
_LABEL: Final = rb"[A-Za-z0-9_~%!$&'()*+,;=-]{1,63}"
_HOST: Final = re.compile(
    rb"(?:\[[0-9A-Fa-f:.]{2,45}\]|" + _LABEL + rb"(?:\." + _LABEL + rb")*\.?)(?::[0-9]{0,5})?"
)
_MAX_HOST: Final = 255
_ABSOLUTE: Final = re.compile(rb"(?i)https?://([^/?#]+)(/[^#]*|\?[^#]*)?")


class Head:
    """A request of which only the head has arrived, for those who judge it by that."""

    def __init__(self, headers: Headers) -> None:
        self._headers = headers

    def headers(self, name: bytes) -> list[bytes]:
        """Return all values of a header."""
        return list(self._headers.getRawHeaders(name, ()))


BodyLimit = Callable[[bytes, Head], tuple[int, McpfrontError | None]]
"""The limit of a body, from its path and head, and the error that a larger one is answered with."""


def head_problem(target: bytes, version: bytes, headers: Headers) -> str:
    """Return what is wrong with a head, empty when nothing is (RFC 9112 sections 3.2, 3.3 and 6.1).

    Args:
        target: the request target as sent.
        version: ``HTTP/1.0`` or ``HTTP/1.1``.
        headers: the request's headers.
    """
    hosts = headers.getRawHeaders(b"host", [])
    if len(hosts) > 1:
        return "the request has more than one Host header"
    if not hosts and version == b"HTTP/1.1":
        return "the request has no Host header"
    if hosts and not (len(hosts[0]) <= _MAX_HOST and _HOST.fullmatch(hosts[0])):
        return "the Host header is not a host name with an optional port"
    codings = headers.getRawHeaders(b"transfer-encoding", [])
    if len(codings) > 1 or (codings and version != b"HTTP/1.1"):
        # Another reader on the way could see another end of the body, and so another next request.
        return "only HTTP/1.1 has a Transfer-Encoding header, and only one"
    return _target_problem(target, hosts)


def origin_form(target: bytes) -> bytes:
    """Return a target without scheme and host (RFC 9112 section 3.2.2); others are returned as they are."""
    match = _ABSOLUTE.fullmatch(target)
    if match is None:
        return target
    rest: bytes = match.group(2) or b"/"
    return rest if rest.startswith(b"/") else b"/" + rest


def _target_problem(target: bytes, hosts: Sequence[bytes]) -> str:
    if not _VISIBLE.fullmatch(target) or b"#" in target:
        return "the request target has characters that a URL does not have"
    if target.startswith(b"/") or target == b"*":
        return ""
    match = _ABSOLUTE.fullmatch(target)
    if match is None:
        return "the request target is neither a path nor a URL"
    if not hosts or match.group(1).lower() != hosts[0].lower():
        return "the request target and the Host header name different hosts"
    return ""
