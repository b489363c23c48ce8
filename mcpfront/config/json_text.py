"""The config file's text as JSON values: strict, bounded, and with every key that comes twice reported."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from mcpfront.config.problem import Findings, Path

DEEPEST: Final = 100
"""Levels of nesting; nothing in the file needs more than a few, a JSON Schema of a tool some more."""
_LONGEST_INTEGER: Final = 64


class Object(dict[str, Any]):
    """A JSON object that remembers which of its keys came twice; the last value is kept."""

    __slots__ = ("repeated",)

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.repeated = [
            key for key in self if len(self) != len(pairs) and [k for k, _ in pairs].count(key) > 1
        ]


def decode(text: bytes, findings: Findings) -> object:
    """Decode the file.

    Args:
        text: the file's bytes: UTF-8, one JSON value, a byte order mark before it is passed over.
        findings: takes the problems; after an error the value is None.
    """
    try:
        value = json.loads(
            text.decode("utf-8-sig"), object_pairs_hook=Object, parse_int=_integer, parse_constant=_constant
        )
    except UnicodeDecodeError as error:
        findings.error((), f"is not UTF-8 text: byte {error.start} is wrong")
    except json.JSONDecodeError as error:
        findings.error((), f"is not valid JSON: {error.msg} (line {error.lineno}, column {error.colno})")
    except _NotJsonError as error:
        findings.error((), f"is not valid JSON: {error}")
    except RecursionError:
        findings.error((), f"is nested more than {DEEPEST} levels deep")
    else:
        return value if _sound(value, findings) else None
    return None


class _NotJsonError(ValueError):
    pass


def _constant(name: str) -> float:
    raise _NotJsonError(f"{name} is no JSON number")


def _integer(digits: str) -> float:
    return int(digits) if len(digits) <= _LONGEST_INTEGER else float(digits)


def _sound(value: object, findings: Findings) -> bool:
    """Report repeated keys, and refuse what cannot be printed or is nested too deeply."""
    for path, item in _walk(value):
        if len(path) >= DEEPEST and isinstance(item, dict | list):
            findings.error((), f"is nested more than {DEEPEST} levels deep")
            return False
        if isinstance(item, str) and not _encodable(item):
            findings.error(path, "must be text; it has half of a surrogate pair (\\ud800 to \\udfff)")
        if isinstance(item, Object):
            _report_keys(path, item, findings)
    return not findings.fatal


def _report_keys(path: Path, item: Object, findings: Findings) -> None:
    for key in item.repeated:
        findings.warning((*path, key), "comes twice; the last value is used, remove the others")
    for key in item:
        if not _encodable(key):
            findings.error(
                (*path, key), "must be text; the key has half of a surrogate pair (\\ud800 to \\udfff)"
            )


def _walk(top: object) -> Iterator[tuple[Path, object]]:
    waiting: list[tuple[Path, object]] = [((), top)]
    while waiting:
        path, value = waiting.pop()
        yield path, value
        if isinstance(value, dict):
            waiting += [((*path, key), item) for key, item in reversed(value.items())]
        elif isinstance(value, list):
            waiting += [((*path, index), item) for index, item in reversed([*enumerate(value)])]


def _encodable(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)
