"""What is wrong with a config file: every problem knows its place, its words and its weight."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]
Path = tuple[str | int, ...]
"""Keys and array indices from the top of the file."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding.

    Attributes:
        path: the JSON path, such as ``mcpServers.files.args[0]``; empty for the file as a whole.
        message: what is wrong and how to mend it, without any value that could be a secret.
        severity: ``error`` stops the gateway, ``warning`` fails validation only, ``note`` fails nothing.
    """

    path: str
    message: str
    severity: Severity = "error"

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class ConfigError(Exception):
    """The config file cannot be used.

    Args:
        problems: everything that was found, at least one of it an error.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(str(problem) for problem in self.errors))

    @property
    def errors(self) -> list[Problem]:
        """The problems that stop the gateway."""
        return [problem for problem in self.problems if problem.severity == "error"]


def render_path(path: Path) -> str:
    """Write a path as users know it: ``a.b[0]``; keys with unusual characters are quoted."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + _key(part)
    return text


def _key(key: str) -> str:
    shown = key if len(key) <= _LONGEST_KEY else key[:_LONGEST_KEY] + "…"
    if shown and all(character.isalnum() or character in "_-$" for character in shown) and shown.isascii():
        return shown
    return ascii(shown)


_LONGEST_KEY = 80


class Findings:
    """Collects problems, so that all of them are told at once.

    Attributes:
        problems: what was found so far.
        given: the paths of keys that the file has.
        refused: the paths of values that could not be read; rules across keys leave them alone.
    """

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.given: set[Path] = set()
        self.refused: set[Path] = set()

    def error(self, path: Path, message: str) -> None:
        """Report what stops the gateway."""
        self._add(path, message, "error")

    def warning(self, path: Path, message: str) -> None:
        """Report what is probably a mistake; validation fails, the gateway starts."""
        self._add(path, message, "warning")

    def note(self, path: Path, message: str) -> None:
        """Report what the operator should know; nothing fails."""
        self._add(path, message, "note")

    def sound(self, path: Path) -> bool:
        """Tell whether nothing was refused at a path or below it."""
        return not any(refused[: len(path)] == path for refused in self.refused)

    @property
    def fatal(self) -> bool:
        """Whether an error was found."""
        return any(problem.severity == "error" for problem in self.problems)

    def sorted(self) -> list[Problem]:
        """Return the problems, errors first, then by path."""
        order = {"error": 0, "warning": 1, "note": 2}
        return sorted(self.problems, key=lambda problem: (order[problem.severity], problem.path))

    def _add(self, path: Path, message: str, severity: Severity) -> None:
        self.problems.append(Problem(render_path(path), message, severity))
