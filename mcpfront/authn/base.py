"""The seam of authentication: what a credential proves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is calling; passed as an argument, never kept in a context variable.

    Attributes:
        subject: the stable name by which sessions, limits and logs know the caller.
        proof: how it was proved: ``none``, ``basic``, ``bearer``.
        email: the e-mail address, empty when unknown.
        groups: the groups the identity provider names.
        tenant: the organisation, empty when unknown.
        client_id: the OAuth client, empty when there is none.
        scopes: what the token allows.
        audience: the resource the token was made for, empty when it names none.
        expires_at: seconds since the epoch, None for never.
    """

    subject: str
    proof: str
    email: str = ""
    groups: tuple[str, ...] = ()
    tenant: str = ""
    client_id: str = ""
    scopes: tuple[str, ...] = ()
    audience: str = ""
    expires_at: float | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What tells callers apart: the same name proved in two ways is two callers."""
        return self.proof, self.subject

    @property
    def identified(self) -> bool:
        """Whether two requests of this principal are known to be of the same caller."""
        return self.proof != "none"


ANONYMOUS = Principal("anonymous", "none")
"""Everybody, on a server that asks nobody."""


class Caller(Protocol):
    """What of a request says who sends it: its head, so that it can be judged before the body arrives."""

    def headers(self, name: bytes) -> list[bytes]:
        """Return all values of a header (name in lower case)."""


class Authenticator(Protocol):
    """Tells who is calling one server."""

    def authenticate(self, caller: Caller) -> Principal:
        """Return who is calling.

        Raises:
            Unauthorized: with the ``WWW-Authenticate`` challenges of this server.
        """
