"""One configured server as the gateway's rooms see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from mcpfront.authn.base import Authenticator
from mcpfront.upstream.base import Upstream


class ToolPolicy(Protocol):
    """May this be called; one decision for list and call."""

    def allows(self, method: str, name: str | None) -> bool:
        """Tell whether a method may be called, for ``tools/call`` with the tool's name."""

    def filter_tools(self, result: bytes) -> bytes:
        """Return a raw ``tools/list`` result without the tools that may not be called."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server and what stands before it.

    Attributes:
        name: its name in the config and the first segment of its URLs.
        upstream: how it is reached.
        authenticator: who may come in.
        policy: what they may call; None when everything is allowed.
    """

    name: str
    upstream: Upstream
    authenticator: Authenticator
    policy: ToolPolicy | None
