"""Who may import whom: the walls of docs/architecture.md, held over the syntax trees of the package."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from twisted.trial.unittest import SynchronousTestCase

PACKAGE: Final = Path(__file__).resolve().parents[1] / "mcpfront"

COMPOSITION: Final = {"app", "cli", "plugins", "tap", "__main__"}
"""Modules at the top that know everything and are known by nobody but each other."""

GLOBAL_REACTOR: Final = {"mcpfront.app", "mcpfront.cli", "mcpfront.tap"}

SEAMS: Final = {
    "mcpfront.__version__",
    "mcpfront.errors",
    "mcpfront.listen.exchange",
    "mcpfront.config.model",
    "mcpfront.telemetry.logging.get_logger",
}
"""What every room may import, beside ``protocol`` and every ``base``."""

PURE: Final = {"mcpfront.errors": {"msgspec"}, "mcpfront.protocol": {"msgspec", "cryptography"}}
"""Rooms that do no I/O, and the only libraries they may use."""

ADAPTERS: Final = {
    "authn": {"bearer", "mtls", "service"},
    "identity": {"azure", "github", "google", "local", "oidc"},
    "storage": {"firestore", "memory", "sqlite"},
    "upstream": {"aggregate", "inline", "remote", "sse", "stdio"},
}
"""Implementations of one seam that know nothing of each other."""

FORBIDDEN: Final = {
    "asyncio": "the reactor is Twisted's",
    "contextvars": "identity is passed as an argument",
    "twisted.internet.defer.inlineCallbacks": "coroutines are async def",
}


class Import(NamedTuple):
    """One imported name.

    Attributes:
        module: the module that imports.
        target: the dotted name that it imports.
        line: where.
    """

    module: str
    target: str
    line: int

    def __str__(self) -> str:
        return f"{self.module}:{self.line} imports {self.target}"


def module_name(path: Path, root: Path = PACKAGE) -> str:
    """Return the dotted name of a file of the package."""
    parts = path.relative_to(root.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(source: str, module: str, *, package: bool = False) -> Iterator[Import]:
    """Find every import of a module, inside functions too."""
    here = module.split(".")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (Import(module, alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            up = here[: len(here) - node.level + package] if node.level else []
            origin = ".".join([*up, *([node.module] if node.module else [])])
            yield from (Import(module, f"{origin}.{alias.name}", node.lineno) for alias in node.names)


def within(name: str, ancestor: str) -> bool:
    """Tell whether a dotted name is another or lies below it."""
    return name == ancestor or name.startswith(f"{ancestor}.")


def room(name: str) -> str:
    """Return the room of a dotted name: the part after the package's name, empty for the package itself."""
    return [*name.split("."), ""][1]


def is_seam(target: str) -> bool:
    """Tell whether every room may import a name."""
    parts = target.split(".")
    if parts[1] == "protocol" or (len(parts) > 2 and parts[2] == "base"):
        return True
    return any(within(target, seam) for seam in SEAMS)


def crosses_wall(found: Import) -> bool:
    """Tell whether an import reaches into another room past its seam."""
    here, there = room(found.module), room(found.target)
    if not within(found.target, "mcpfront") or here in COMPOSITION or here == there:
        return False
    return not is_seam(found.target)


def is_impure(found: Import) -> bool:
    """Tell whether a pure room imports more than its libraries and plain parts of the standard one."""
    for pure, libraries in PURE.items():
        if within(found.module, pure):
            top = found.target.split(".")[0]
            ours = any(within(found.target, other) for other in PURE)
            return not ours and (top in {"twisted", "zope", "mcpfront"} or not _known(top, libraries))
    return False


def joins_adapters(found: Import) -> bool:
    """Tell whether one adapter of a seam imports another."""
    here, there = found.module.split("."), found.target.split(".")
    if here[:2] != there[:2] or len(here) < 3 or len(there) < 3:
        return False
    adapters = ADAPTERS.get(here[1], set())
    return here[2] in adapters and there[2] in adapters and here[2] != there[2]


def takes_global_reactor(found: Import) -> bool:
    """Tell whether a module other than the composition imports the global reactor."""
    return within(found.target, "twisted.internet.reactor") and found.module not in GLOBAL_REACTOR


def is_forbidden(found: Import) -> bool:
    """Tell whether an import is banned everywhere."""
    return any(within(found.target, name) for name in FORBIDDEN)


def _known(top: str, libraries: set[str]) -> bool:
    return top in libraries or top in STANDARD


STANDARD: Final = frozenset(
    [
        "__future__",
        "abc",
        "base64",
        "binascii",
        "bisect",
        "collections",
        "contextlib",
        "copy",
        "dataclasses",
        "datetime",
        "enum",
        "functools",
        "hashlib",
        "hmac",
        "ipaddress",
        "itertools",
        "json",
        "math",
        "operator",
        "re",
        "secrets",
        "string",
        "struct",
        "time",
        "types",
        "typing",
        "unicodedata",
        "urllib",
        "uuid",
    ]
)
"""The modules of the standard library that do no I/O and that a pure room may want."""


class LayerTests(SynchronousTestCase):
    """The walls between the rooms."""

    def setUp(self) -> None:
        """Read every import of the package."""
        self.found = [
            one
            for path in sorted(PACKAGE.rglob("*.py"))
            for one in imports(
                path.read_text(encoding="utf-8"), module_name(path), package=path.name == "__init__.py"
            )
        ]

    def wrong(self, rule: object) -> list[str]:
        """Return the imports that break a rule."""
        return [str(one) for one in self.found if rule(one)]

    def test_rooms_meet_at_seams(self) -> None:
        """A room imports from another its seam alone."""
        self.assertEqual(self.wrong(crosses_wall), [])

    def test_nobody_imports_the_composition(self) -> None:
        """The modules that know everything are imported by each other alone."""
        known = {f"mcpfront.{name}" for name in COMPOSITION}
        wrong = [
            str(one)
            for one in self.found
            if any(within(one.target, name) for name in known) and room(one.module) not in COMPOSITION
        ]
        self.assertEqual(wrong, [])

    def test_pure_core(self) -> None:
        """The protocol and the errors do no I/O: no Twisted, no sockets, no files."""
        self.assertEqual(self.wrong(is_impure), [])

    def test_adapters(self) -> None:
        """One implementation of a seam never imports another."""
        self.assertEqual(self.wrong(joins_adapters), [])

    def test_global_reactor(self) -> None:
        """Only the composition touches the global reactor."""
        self.assertEqual(self.wrong(takes_global_reactor), [])

    def test_forbidden(self) -> None:
        """Nothing uses asyncio, context variables or inlineCallbacks."""
        self.assertEqual(self.wrong(is_forbidden), [])

    def test_no_package_shadows_twisted(self) -> None:
        """The folder of the plugin is no package, or it would hide Twisted."""
        self.assertEqual(list((PACKAGE.parent / "twisted").rglob("__init__.py")), [])

    def test_plugin_imports_nothing(self) -> None:
        """The plugin file imports the ServiceMaker alone, since every twistd command loads it."""
        path = PACKAGE.parent / "twisted" / "plugins" / "mcpfront_plugin.py"
        found = [one.target for one in imports(path.read_text(encoding="utf-8"), "plugin")]
        self.assertEqual(found, ["twisted.application.service.ServiceMaker"])


class RuleTests(SynchronousTestCase):
    """The rules themselves, on imports that break them."""

    def one(self, module: str, line: str) -> Import:
        """Return the import that a line makes in a module."""
        (found,) = imports(line, module)
        return found

    def test_walls(self) -> None:
        """An import past a seam is found, by whichever form; an import of the seam is not."""
        for line in (
            "import mcpfront.upstream.stdio",
            "from mcpfront.upstream.stdio import StdioUpstream",
            "from mcpfront.upstream import stdio",
            "from ..upstream import stdio",
            "from mcpfront.telemetry.logging import configure",
            "def f():\n    from mcpfront.config.load import load",
        ):
            self.assertTrue(crosses_wall(self.one("mcpfront.gateway.router", line)), line)
            self.assertFalse(crosses_wall(self.one("mcpfront.app", line)), line)
        for line in (
            "from mcpfront.upstream.base import Upstream",
            "from mcpfront.upstream import base",
            "from mcpfront.protocol import jsonrpc",
            "from mcpfront.telemetry.logging import get_logger",
            "from mcpfront import __version__",
            "from .session import Session",
            "from twisted.internet.defer import Deferred",
        ):
            self.assertFalse(crosses_wall(self.one("mcpfront.gateway.router", line)), line)

    def test_purity(self) -> None:
        """Twisted, I/O and other rooms are found in the pure core."""
        for line in (
            "from twisted.python import log",
            "import socket",
            "import os",
            "from mcpfront.listen import web",
        ):
            self.assertTrue(is_impure(self.one("mcpfront.protocol.framing", line)), line)
            self.assertFalse(is_impure(self.one("mcpfront.listen.web", line)), line)
        for line in ("import json", "import msgspec", "from mcpfront.errors import InvalidMessage"):
            self.assertFalse(is_impure(self.one("mcpfront.protocol.framing", line)), line)

    def test_others(self) -> None:
        """Adapters that know each other, the global reactor and banned modules are found."""
        line = "from mcpfront.upstream.sse import SseUpstream"
        self.assertTrue(joins_adapters(self.one("mcpfront.upstream.stdio", line)))
        self.assertFalse(joins_adapters(self.one("mcpfront.upstream.pool", line)))
        for line in ("from twisted.internet import reactor", "import twisted.internet.reactor"):
            self.assertTrue(takes_global_reactor(self.one("mcpfront.upstream.stdio", line)))
            self.assertFalse(takes_global_reactor(self.one("mcpfront.tap", line)))
        for line in ("import asyncio", "from contextvars import ContextVar", "import asyncio.events"):
            self.assertTrue(is_forbidden(self.one("mcpfront.tap", line)))
