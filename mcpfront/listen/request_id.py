"""Names of requests, by which a log line and an answer are matched."""

from __future__ import annotations

import itertools
import re
import secrets
from collections.abc import Sequence
from typing import Final

_GIVEN: Final = re.compile(rb"[A-Za-z0-9._~:/+=-]{1,64}")
_PREFIX: Final = secrets.token_hex(4)
_COUNT: Final = itertools.count(1)


def request_id(given: Sequence[bytes] | None) -> str:
    """Return the id that a proxy or client gave, if it is one short word, else a new one.

    Args:
        given: the values of ``X-Request-Id``.
    """
    if given is not None and len(given) == 1 and _GIVEN.fullmatch(given[0]):
        return given[0].decode()
    return f"{_PREFIX}-{next(_COUNT):x}"
