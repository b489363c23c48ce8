"""How large files, classes and functions of the package may be; past that it is usually two ideas."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from statistics import median, quantiles
from typing import Final

from twisted.trial.unittest import SynchronousTestCase

PACKAGE: Final = Path(__file__).resolve().parents[1] / "mcpfront"
MAX_FILE: Final = 400
MAX_CLASS: Final = 250
MAX_FUNCTION: Final = 60
MAX_NINTH_DECILE: Final = 30
MAX_MEDIAN: Final = 10

Function = ast.FunctionDef | ast.AsyncFunctionDef


def nodes(*kinds: type[ast.AST]) -> Iterator[tuple[str, int]]:
    """Return the name and the lines of every node of some kinds in the package."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, kinds):
                name = f"{path.relative_to(PACKAGE)}:{node.lineno} {node.name}"
                yield name, node.end_lineno - node.lineno + 1


class SizeTests(SynchronousTestCase):
    """Sizes in lines."""

    def test_files(self) -> None:
        """No file is longer than its bound."""
        sizes = {path: len(path.read_bytes().splitlines()) for path in PACKAGE.rglob("*.py")}
        large = [f"{path.relative_to(PACKAGE)} ({size})" for path, size in sizes.items() if size > MAX_FILE]
        self.assertEqual(large, [])

    def test_classes(self) -> None:
        """No class is longer than its bound."""
        found = nodes(ast.ClassDef)
        self.assertEqual([f"{name} ({size})" for name, size in found if size > MAX_CLASS], [])

    def test_functions(self) -> None:
        """No function is longer than its bound; nine of ten are short, and half of them very short."""
        found = list(nodes(*Function.__args__))
        self.assertEqual([f"{name} ({size})" for name, size in found if size > MAX_FUNCTION], [])
        sizes = [size for _, size in found]
        self.assertLessEqual(quantiles(sizes, n=10)[8], MAX_NINTH_DECILE)
        self.assertLessEqual(median(sizes), MAX_MEDIAN)
