"""The documents hold: their links lead somewhere, their examples are valid, the tests they name exist."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from twisted.trial.unittest import SynchronousTestCase

from mcpfront.config.load import validate
from mcpfront.config.report import passes
from mcpfront.config.schema import schema

ROOT: Final = Path(__file__).resolve().parents[1]
PAGES: Final = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
LINK: Final = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")
PART: Final = re.compile(r"^#+ ([^\n]+)$|```json\n(.*?)```", re.MULTILINE | re.DOTALL)
TEST: Final = re.compile(r"`(test_\w+)\.(\w+)\.(test_\w+)`")
LIMIT: Final = re.compile(r"`(limits|sessions)\.(\w+)`")
INTEGRATION: Final = ROOT / "tests" / "integration"
PROXY: Final[dict[str, Any]] = {"baseURL": "https://mcp.example.com", "addr": "127.0.0.1:8080"}
DIRECT: Final[dict[str, Any]] = {"transportType": "stdio", "command": "true"}
OAUTH: Final[dict[str, Any]] = {
    "kind": "oauth",
    "issuer": "https://mcp.example.com",
    "idp": {},
    "allowedDomains": ["example.com"],
    "jwtSecret": {"$env": "JWT_SECRET"},
    "encryptionKey": {"$env": "ENCRYPTION_KEY"},
}


def text(path: Path) -> str:
    """Return a page without what stands in its code blocks."""
    return re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)


def anchors(path: Path) -> set[str]:
    """Return what links can lead to on a page."""
    titles = re.findall(r"^#+ (.+)$", text(path), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def examples(path: Path) -> Iterator[tuple[str, str]]:
    """Return the JSON examples of a page, each with the heading it stands under."""
    heading = ""
    for part in PART.finditer(path.read_text(encoding="utf-8")):
        heading = part.group(1) or heading
        if part.group(2):
            yield heading, part.group(2)


def server(**members: Any) -> dict[str, Any]:
    """Return a config with a server, and those that aggregates of the examples name."""
    servers = {"files": DIRECT, "git": DIRECT, "shown": {**members}}
    return {"version": "v0.0.1-DEV_EDITION", "proxy": PROXY, "mcpServers": servers}


def proxy(**members: Any) -> dict[str, Any]:
    """Return a config with settings of the gateway."""
    servers = {"files": {**DIRECT, "serviceAuths": [{"type": "bearer", "tokens": [{"$env": "T"}]}]}}
    return {"version": "v0.0.1-DEV_EDITION", "proxy": {**PROXY, **members}, "mcpServers": servers}


def whole(heading: str, value: Any) -> Any:
    """Return the config that an example of docs/configuration.md is a part of; None for what is none."""
    place = heading.replace("`", "")
    places = {
        "The config file": lambda: value,
        "proxy": lambda: proxy(**value),
        "proxy.sessions": lambda: proxy(sessions=value),
        "proxy.limits": lambda: proxy(limits=value),
        "proxy.auth": lambda: proxy(auth=value),
        "proxy.auth.idp": lambda: proxy(auth={**OAUTH, "idp": value}),
        "stdio": lambda: server(**value),
        "sse and streamable-http": lambda: server(**value),
        "inline": lambda: server(**value),
        "type: aggregate": lambda: server(**value),
        "options": lambda: server(**DIRECT, options=value),
        "serviceAuths": lambda: server(**DIRECT, serviceAuths=value),
        "userAuthentication": lambda: {
            **server(**DIRECT, requiresUserToken=True, userAuthentication=value),
            "proxy": {**PROXY, "auth": {**OAUTH, "idp": GOOGLE}},
        },
    }
    return places[place]()


GOOGLE: Final = {
    "provider": "google",
    "clientId": "id",
    "clientSecret": {"$env": "SECRET"},
    "redirectUri": "https://mcp.example.com/oauth/callback",
}


def tests_of(name: str) -> set[str]:
    """Return the tests of an integration module, each as module, class and method."""
    tree = ast.parse((INTEGRATION / f"{name}.py").read_text(encoding="utf-8"))
    return {
        f"{name}.{group.name}.{one.name}"
        for group in tree.body
        if isinstance(group, ast.ClassDef)
        for one in group.body
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef) and one.name.startswith("test_")
    }


class LinkTests(SynchronousTestCase):
    """Links between the documents."""

    def test_lead_somewhere(self) -> None:
        """Every relative link leads to a file of the project, and to a heading that it has."""
        for page in PAGES:
            for link in LINK.findall(text(page)):
                if re.match(r"[a-z]+:", link):
                    continue
                name, _, anchor = link.partition("#")
                target = page.parent / name if name else page
                self.assertTrue(target.exists(), f"{page.name}: {link}")
                if anchor:
                    self.assertIn(anchor, anchors(target), f"{page.name}: {link}")

    def test_every_page_is_linked(self) -> None:
        """Every page under docs can be reached from the README."""
        linked = {(ROOT / link).resolve() for link in LINK.findall(text(ROOT / "README.md"))}
        self.assertLessEqual(set((ROOT / "docs").glob("*.md")), linked)


class ExampleTests(SynchronousTestCase):
    """JSON in the documents."""

    def check(self, config: Any, what: str) -> None:
        """See that a config passes validation."""
        path = Path(self.mktemp())
        path.write_text(json.dumps(config), encoding="utf-8")
        problems = validate(str(path))
        self.assertTrue(passes(problems), f"{what}: {[str(problem) for problem in problems]}")

    def test_parse(self) -> None:
        """Every JSON example of every page parses, by itself or as the member of an object."""
        for page in PAGES:
            for heading, example in examples(page):
                try:
                    json.loads(example if example[0] in "{[" else "{" + example + "}")
                except ValueError as error:
                    self.fail(f"{page.name}, {heading}: {error}")

    def test_config_page(self) -> None:
        """Every example of docs/configuration.md passes validation where it belongs in a config."""
        found = list(examples(ROOT / "docs" / "configuration.md"))
        self.assertGreater(len(found), 10)
        for heading, example in found:
            self.check(whole(heading, json.loads(example)), heading)

    def test_readme(self) -> None:
        """The server that the README shows passes validation."""
        (example,) = (example for _, example in examples(ROOT / "README.md"))
        (members,) = json.loads("{" + example + "}").values()
        self.check(server(**members), "README")


class BadInputTests(SynchronousTestCase):
    """docs/bad-input.md, whose rows name the tests that prove them."""

    def setUp(self) -> None:
        """Read the page."""
        self.page = (ROOT / "docs" / "bad-input.md").read_text(encoding="utf-8")
        self.rows = [
            line for line in self.page.splitlines() if line.startswith("| ") and "| test |" not in line
        ]

    def test_rows(self) -> None:
        """Every row names a test."""
        self.assertGreater(len(self.rows), 30)
        self.assertEqual([row for row in self.rows if not TEST.search(row)], [])

    def test_named_tests(self) -> None:
        """Every test that is named is there."""
        for parts in TEST.findall(self.page):
            self.assertIn(".".join(parts), tests_of(parts[0]))

    def test_every_test_is_named(self) -> None:
        """Every test of bad input is named."""
        named = {".".join(parts) for parts in TEST.findall(self.page)}
        for module in ("test_bad_input", "test_bad_servers"):
            self.assertLessEqual(tests_of(module), named)

    def test_bounds(self) -> None:
        """Every bound that is named is a key of the config."""
        known = schema()["$defs"]
        for section, key in LIMIT.findall(self.page):
            self.assertIn(key, known[section.capitalize()]["properties"])
