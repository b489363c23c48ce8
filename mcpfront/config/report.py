"""How the problems of a config file are printed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from mcpfront.config.problem import Problem

_HEADINGS: Final = (("error", "Errors"), ("warning", "Warnings"), ("note", "Notes"))


def report(path: str, problems: list[Problem]) -> Iterator[str]:
    """Give the lines of a validation report; only its last line and the exit code are the verdict.

    Args:
        path: the file that was validated.
        problems: what was found.
    """
    yield f"Validating: {path}"
    for severity, heading in _HEADINGS:
        found = [problem for problem in problems if problem.severity == severity]
        if found:
            yield ""
            yield f"{heading} ({len(found)}):"
            yield from (f"  - {problem}" for problem in found)
    yield ""
    yield f"Result: {_verdict({problem.severity for problem in problems})}"


def passes(problems: Iterable[Problem]) -> bool:
    """Tell whether a file passes validation: no error and no warning."""
    return all(problem.severity == "note" for problem in problems)


def error_lines(path: str, problems: Iterable[Problem]) -> Iterator[str]:
    """Give one line for each error, for a gateway that does not start."""
    return (f"mcpfront: {path}: {problem}" for problem in problems if problem.severity == "error")


def _verdict(severities: set[str]) -> str:
    if "error" in severities:
        return "FAIL"
    return "FAIL (warnings present)" if "warning" in severities else "PASS"
