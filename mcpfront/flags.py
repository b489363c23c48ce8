"""Command-line flags as Go's ``flag`` package reads them: one dash or two, ``-k v`` or ``-k=v``.

Parsing stops at the first argument that is no flag, or behind ``--``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

_TRUE: Final = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "false", "FALSE", "False"})
_MOST_DASHES: Final = 2


class FlagError(Exception):
    """The command line is wrong; the text says what."""


class HelpWanted(Exception):
    """The command line asks for help by a flag that is not declared."""


class Flags:
    """The flags that were given.

    Args:
        declared: each flag's name, and whether it takes a value.
        arguments: the command line without the program's name.

    Attributes:
        rest: the arguments behind the flags.

    Raises:
        FlagError: a flag is not declared, has no value or one that cannot be read.
        HelpWanted: ``-h`` or ``-help`` was given and is not declared.
    """

    def __init__(self, declared: Mapping[str, bool], arguments: Sequence[str]) -> None:
        self._declared = declared
        self._texts: dict[str, str] = {}
        self._switches: dict[str, bool] = {}
        waiting = list(arguments)
        while waiting and _is_flag(waiting[0]):
            if waiting[0] == "--":
                del waiting[0]
                break
            self._take(waiting)
        self.rest = waiting

    def text(self, name: str) -> str:
        """Return the value of a flag, empty when it was not given."""
        return self._texts.get(name, "")

    def on(self, name: str) -> bool:
        """Tell whether a flag without a value was given and not switched off."""
        return self._switches.get(name, False)

    def __bool__(self) -> bool:
        """Tell whether any flag was given."""
        return bool(self._texts or self._switches)

    def _take(self, waiting: list[str]) -> None:
        argument = waiting.pop(0)
        name, equals, value = argument[_dashes(argument) :].partition("=")
        if not name or name.startswith("-"):
            raise FlagError(f"{argument} is no flag")
        if name not in self._declared:
            if name in {"h", "help"}:
                raise HelpWanted
            raise FlagError(f"unknown flag -{name}")
        if not self._declared[name]:
            self._switches[name] = _boolean(name, value) if equals else True
        elif equals or waiting:
            self._texts[name] = value if equals else waiting.pop(0)
        else:
            raise FlagError(f"flag -{name} needs a value")


def _is_flag(argument: str) -> bool:
    return argument.startswith("-") and argument != "-"


def _dashes(argument: str) -> int:
    return _MOST_DASHES if argument.startswith("--") else 1


def _boolean(name: str, value: str) -> bool:
    if value in _TRUE:
        return True
    if value in _FALSE:
        return False
    raise FlagError(f"flag -{name} is true or false")
