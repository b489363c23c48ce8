"""Values that are not plain text: secrets, templates for a user's token, texts that are not known yet."""

from __future__ import annotations

import hmac
from typing import Final, NoReturn

from mcpfront.errors import Forbidden

PLACEHOLDER: Final = "{{token}}"
"""Replaced, wherever it stands in a template, by the user's token."""


class MissingUserToken(Forbidden):
    """A template needs the user's own token and there is none."""


class Pending(str):
    """A text that is not known: its variable is not read while validating, or its value was refused."""

    __slots__ = ()


class Secret:
    """A text that must not be told: it leaves by :meth:`reveal` alone.

    Args:
        text: the secret.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    @property
    def known(self) -> bool:
        """Whether the text is known; it is not while a file is only validated."""
        return not isinstance(self._text, Pending)

    def reveal(self) -> str:
        """Return the secret."""
        return self._text

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(_bytes(self._text), _bytes(other._text))

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "Secret(…)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not serialised")


class Template:
    """A text that may hold the user's token at :data:`PLACEHOLDER`; its text is never shown.

    Args:
        text: the text.
        needs_token: whether the placeholders are to be replaced; in a plain text they stay as they are.
    """

    __slots__ = ("_text", "needs_token")

    def __init__(self, text: str, *, needs_token: bool = False) -> None:
        self._text = text
        self.needs_token = needs_token

    @property
    def known(self) -> bool:
        """Whether the text is known; it is not while a file is only validated."""
        return not isinstance(self._text, Pending)

    def render(self, token: str | None) -> str:
        """Return the text with the token in it.

        Args:
            token: the user's token, None when there is none.

        Raises:
            MissingUserToken: the text needs a token; it is never sent with the placeholder left in.
        """
        if not self.needs_token:
            return self._text
        if token is None:
            raise MissingUserToken(
                "this server needs your own token for the service behind it, and none is stored"
            )
        return self._text.replace(PLACEHOLDER, token)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Template):
            return NotImplemented
        same = hmac.compare_digest(_bytes(self._text), _bytes(other._text))
        return same and self.needs_token == other.needs_token

    def __hash__(self) -> int:
        return hash((self._text, self.needs_token))

    def __repr__(self) -> str:
        return "Template(…)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a template may hold a secret and is not serialised")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
