"""Rules of the fixed credentials of machines."""

from __future__ import annotations

import re
from typing import Final

from mcpfront.config.model import Secret, ServiceAuth
from mcpfront.config.problem import Findings, Path

_SENDABLE: Final = re.compile(r"[\x21-\x7e]+")
"""What a client can put behind ``Bearer`` in a header."""


def check_service_auths(entries: list[ServiceAuth], path: Path, findings: Findings) -> None:
    """Check ``serviceAuths`` of one server; an entry that can never let anybody in is an error."""
    if not entries and path in findings.given and findings.sound(path):
        findings.error(path, "must have an entry; remove the key if everybody may use the server")
    if not findings.sound(path):
        return
    for index, entry in enumerate(entries):
        if entry.type == "bearer":
            _bearer(entry, (*path, index), findings)
        else:
            _basic(entry, (*path, index), findings)


def _bearer(entry: ServiceAuth, path: Path, findings: Findings) -> None:
    if not entry.tokens:
        findings.error((*path, "tokens"), "must have at least one token")
    for index, token in enumerate(entry.tokens):
        if _unsendable(token):
            findings.error((*path, "tokens", index), "must be visible ASCII characters without spaces")
    _unused(("username", "password"), entry.type, path, findings)


def _basic(entry: ServiceAuth, path: Path, findings: Findings) -> None:
    if not entry.username:
        findings.error((*path, "username"), 'is required with type "basic"')
    if ":" in entry.username or not entry.username.isprintable():
        findings.error((*path, "username"), "must not hold a colon or control characters")
    if entry.password is None:
        findings.error((*path, "password"), 'is required with type "basic"')
    elif entry.password.known and not entry.password.reveal().isprintable():
        findings.error((*path, "password"), "must not hold control characters")
    _unused(("tokens",), entry.type, path, findings)


def _unused(names: tuple[str, ...], kind: str, path: Path, findings: Findings) -> None:
    for name in names:
        if (*path, name) in findings.given:
            findings.warning((*path, name), f'has no effect with type "{kind}"; remove it')


def _unsendable(token: Secret) -> bool:
    return token.known and not _SENDABLE.fullmatch(token.reveal())
