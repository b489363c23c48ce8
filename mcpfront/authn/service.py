"""Service credentials of the config (``serviceAuths``): static bearer tokens, and names with passwords.

Source: RFC 6750 (bearer), RFC 7617 (basic), RFC 9110 section 11.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mcpfront.authn.base import Caller, Principal
from mcpfront.errors import Unauthorized

_LABEL: Final = b"mcpfront principal label v1\x00"
_LABEL_LENGTH: Final = 12
_BEARER: Final = b'Bearer realm="mcpfront"'
_BASIC: Final = b'Basic realm="mcpfront", charset="UTF-8"'
MAX_CREDENTIAL: Final = 8192
"""Bytes of an ``Authorization`` header that are looked at."""


@dataclass(frozen=True, slots=True, repr=False)
class BearerEntry:
    """One accepted token, kept as a digest.

    Attributes:
        digest: the SHA-256 of the token.
        principal: whom it proves.
    """

    digest: bytes
    principal: Principal


@dataclass(frozen=True, slots=True, repr=False)
class BasicEntry:
    """One accepted name with its password, kept as digests.

    Attributes:
        name: the SHA-256 of the user name.
        password: the SHA-256 of the password.
        principal: whom it proves.
    """

    name: bytes
    password: bytes
    principal: Principal


def bearer_entry(token: str) -> BearerEntry:
    """Prepare a token; its principal is named by a digest that differs from the one that is compared."""
    raw = token.encode()
    label = hashlib.sha256(_LABEL + raw).hexdigest()[:_LABEL_LENGTH]
    return BearerEntry(hashlib.sha256(raw).digest(), Principal(f"token-{label}", "bearer"))


def basic_entry(username: str, password: str) -> BasicEntry:
    """Prepare a user name and its password."""
    return BasicEntry(_digest(username.encode()), _digest(password.encode()), Principal(username, "basic"))


class ServiceAuthenticator:
    """Accept the credentials that one server's config lists.

    Args:
        bearer: the accepted tokens.
        basic: the accepted names with passwords.
    """

    def __init__(self, bearer: Sequence[BearerEntry], basic: Sequence[BasicEntry]) -> None:
        self._bearer = tuple(bearer)
        self._basic = tuple(basic)

    def authenticate(self, caller: Caller) -> Principal:
        """Return whom the ``Authorization`` header proves; a credential anywhere else is not looked at.

        Raises:
            Unauthorized: with a challenge for each kind of credential that this server accepts.
        """
        scheme, value = self._credential(caller.headers(b"authorization"))
        if scheme == b"bearer" and self._bearer:
            return self._by_token(value)
        if scheme == b"basic" and self._basic:
            return self._by_password(value)
        raise self._refusal(f"this server does not accept that kind of credential: send {self._wanted()}")

    def _credential(self, headers: list[bytes]) -> tuple[bytes, bytes]:
        if not headers:
            raise self._refusal(f"this server asks for a credential: send {self._wanted()}")
        if len(headers) > 1:
            raise self._refusal("send exactly one Authorization header")
        if len(headers[0]) > MAX_CREDENTIAL:
            raise self._refusal("the Authorization header is too long")
        scheme, _, value = headers[0].partition(b" ")
        return scheme.lower(), value.strip(b" ")

    def _by_token(self, token: bytes) -> Principal:
        digest = _digest(token)
        found: Principal | None = None
        for entry in self._bearer:  # every entry is compared, so that time tells nothing of their order
            if hmac.compare_digest(entry.digest, digest):
                found = entry.principal
        if found is None:
            raise self._refusal("the bearer token is not valid for this server", bearer_sent=True)
        return found

    def _by_password(self, value: bytes) -> Principal:
        name, password = self._split_basic(value)
        name_digest, password_digest = _digest(name), _digest(password)
        found: Principal | None = None
        for entry in self._basic:
            name_fits = hmac.compare_digest(entry.name, name_digest)
            password_fits = hmac.compare_digest(entry.password, password_digest)
            if name_fits & password_fits:
                found = entry.principal
        if found is None:
            raise self._refusal("the user name or the password is wrong")
        return found

    def _split_basic(self, value: bytes) -> tuple[bytes, bytes]:
        try:
            name, colon, password = b64decode(value, validate=True).partition(b":")
        except (binascii.Error, ValueError):
            raise self._refusal("the Basic credential is not valid base64") from None
        if not colon:
            raise self._refusal('the Basic credential must be base64 of "user:password"')
        return name, password

    def _wanted(self) -> str:
        kinds = []
        if self._bearer:
            kinds.append('"Authorization: Bearer <token>"')
        if self._basic:
            kinds.append('"Authorization: Basic <base64 of user:password>"')
        return " or ".join(kinds)

    def _refusal(self, message: str, *, bearer_sent: bool = False) -> Unauthorized:
        return Unauthorized(message, headers=self._challenges(message if bearer_sent else ""))

    def _challenges(self, problem: str) -> tuple[tuple[bytes, bytes], ...]:
        headers = []
        if self._bearer:
            # RFC 6750 section 3.1: an error code only where a token was presented
            error = (
                b', error="invalid_token", error_description="' + problem.encode() + b'"' if problem else b""
            )
            headers.append((b"WWW-Authenticate", _BEARER + error))
        if self._basic:
            headers.append((b"WWW-Authenticate", _BASIC))
        return tuple(headers)


def _digest(raw: bytes) -> bytes:
    return hashlib.sha256(raw).digest()
