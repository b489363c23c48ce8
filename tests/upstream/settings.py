"""Configured servers for tests."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mcpfront.config.reference import Template

PARAMS = b'{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"test","version":"1"}}'


@dataclass(frozen=True)
class Settings:
    """A server's settings."""

    name: str = "files"
    command: str = sys.executable
    args: Sequence[Template] = ()
    env: Mapping[str, Template] = field(default_factory=dict)
    cwd: str | None = None
    env_passthrough: Sequence[str] = ()
    isolation: str = "session"
    warm: int = 0
    timeout: float = 600.0
    handshake_timeout: float = 30.0


@dataclass(frozen=True)
class Limits:
    """The bounds of messages."""

    message: int = 1024 * 1024
