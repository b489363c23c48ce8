"""Rules for the head of a request that the HTTP engine leaves open."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from twisted.web.http_headers import Headers

_VISIBLE: Final = re.compile(rb"[\x21-\x7e]+")
_HOST: Final = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~%!$&'()*+,;=-]+)(?::[0-9]{0,5})?")
_ABSOLUTE: Final = re.compile(rb"(?i)https?://([^/?#]+)(/[^#]*|\?[^#]*)?")


def head_problem(target: bytes, version: bytes, headers: Headers) -> str:
    """Return what is wrong with a head, empty when nothing is (RFC 9112 sections 3.2 and 3.3).

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
    if hosts and not _HOST.fullmatch(hosts[0]):
        return "the Host header is not a host name with an optional port"
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
