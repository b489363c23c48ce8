"""Durations as the config file writes them: ``1h30m``, ``100ms``, ``0``.

The grammar is that of Go's ``time.ParseDuration``, so that files written for others mean the same here.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

_UNITS: Final = {
    "ns": Decimal("1e-9"),
    "us": Decimal("1e-6"),
    "µs": Decimal("1e-6"),  # U+00B5
    "μs": Decimal("1e-6"),  # U+03BC, the other micro sign
    "ms": Decimal("1e-3"),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3600),
}
_PART: Final = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_LONGEST_TEXT: Final = 64
_LONGEST: Final = Decimal(2**63 - 1) / Decimal(10**9)
"""Seconds in 64 bits of nanoseconds, some 292 years."""


def parse(text: str) -> float:
    """Return the seconds of a duration.

    Args:
        text: an optional sign and one or more decimals with a unit (ns, us, µs, ms, s, m, h), or ``0``.

    Raises:
        ValueError: with a message that names the fix and never the text.
    """
    if len(text) > _LONGEST_TEXT:
        raise ValueError("is too long for a duration")
    sign, digits = _split_sign(text)
    if digits == "0":
        return 0.0
    seconds = sum((Decimal(number) * _UNITS[unit] for number, unit in _PART.findall(digits)), Decimal(0))
    if not digits or _PART.sub("", digits):
        raise ValueError(
            'is not a duration; write a number and a unit (ns, us, ms, s, m, h), such as "90s" or "1h30m"'
        )
    if seconds > _LONGEST:
        raise ValueError("is longer than 292 years")
    return sign * float(seconds)


def _split_sign(text: str) -> tuple[int, str]:
    if text[:1] in {"+", "-"}:
        return (-1 if text[0] == "-" else 1), text[1:]
    return 1, text


def render(seconds: float) -> str:
    """Write a duration in the form that :func:`parse` reads, in whole units where they fit."""
    for unit in ("h", "m", "s", "ms"):
        count = Decimal(str(seconds)) / _UNITS[unit]
        if count and count == count.to_integral_value():
            return f"{int(count)}{unit}"
    return f"{seconds:g}s" if seconds else "0"
