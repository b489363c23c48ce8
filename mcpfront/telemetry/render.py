"""Log events as text: JSON lines or logfmt, with nothing in a value that could forge a line."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

MAX_VALUE: Final = 8192
"""Characters of one value that are kept; a traceback is cut in the middle, anything else at its end."""

_UNSAFE: Final = re.compile(
    # C0, DEL and C1; line and paragraph separators; bidirectional controls; lone surrogates; byte order mark
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff]"
)
_BARE: Final = re.compile(r"[A-Za-z0-9_.:/@+,~\[\]-]+")
_NOT_IN_KEY: Final = re.compile(r"[^A-Za-z0-9_.-]")
_SHORT: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_BYTE: Final = 0x100
_AS_IS: Final = frozenset({float, bool, type(None)})

Render = Callable[[Mapping[str, Any]], bytes]


def to_json(event: Mapping[str, Any]) -> bytes:
    """Write an event as one JSON object; what JSON leaves bare but a terminal obeys stands as escapes."""
    values = {key: value if type(value) in _AS_IS else _json_value(value) for key, value in event.items()}
    try:
        line = msgspec.json.encode(values)
    except UnicodeEncodeError:
        line = msgspec.json.encode({key: _encodable(value) for key, value in values.items()})
    if line.isascii() and b"\x7f" not in line:
        return line
    return _UNSAFE.sub(_json_escape, line.decode()).encode()


def to_logfmt(event: Mapping[str, Any]) -> bytes:
    """Write an event as ``key=value`` pairs; a value that is no plain word is quoted."""
    line = " ".join([f"{_NOT_IN_KEY.sub('_', key)}={_logfmt_value(value)}" for key, value in event.items()])
    return escape(line).encode()


def escape(text: str) -> str:
    r"""Replace what could end a line or turn its direction by ``\n``, ``\x1b``, ``\u2028`` and the like."""
    return _UNSAFE.sub(_escape_one, text)


class Timestamp:
    """Write the time of an event; the text of a second is formed once.

    Args:
        now: gives the seconds since the epoch.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._second = -1
        self._text = ""

    def __call__(self) -> str:
        """Return the time now in RFC 3339 form, UTC, milliseconds."""
        second, milliseconds = divmod(int(self._now() * 1000), 1000)
        if second != self._second:
            self._second = second
            self._text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._text}.{milliseconds:03d}Z"


def _json_value(value: Any) -> Any:
    if isinstance(value, int):
        return value if abs(value) < 1 << 63 else str(value)
    return _text(value)


def _logfmt_value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    text = "" if value is None else _text(value)
    if _BARE.fullmatch(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "backslashreplace")
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= MAX_VALUE else _cut(text)


def _encodable(value: Any) -> Any:
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def _cut(text: str) -> str:
    if text.startswith("Traceback"):
        return text[: MAX_VALUE // 2] + " … " + text[-MAX_VALUE // 2 :]
    return text[:MAX_VALUE] + "…"


def _escape_one(match: re.Match[str]) -> str:
    char = match.group()
    return _SHORT.get(char) or (f"\\x{ord(char):02x}" if ord(char) < _BYTE else f"\\u{ord(char):04x}")


def _json_escape(match: re.Match[str]) -> str:
    return f"\\u{ord(match.group()):04x}"
