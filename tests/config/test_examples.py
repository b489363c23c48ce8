"""The examples that ship validate, and are the files that ``init`` writes."""

from __future__ import annotations

import json
from pathlib import Path

from jsonschema import Draft202012Validator
from twisted.trial.unittest import SynchronousTestCase

from mcpfront.config.initial import template
from mcpfront.config.load import load, validate
from mcpfront.config.report import passes
from mcpfront.config.schema import schema

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.json"))
ENVIRON = {
    "MCPFRONT_TOKEN": "t0ken",
    "FILES_PASSWORD": "passw0rd",
    "SHARED_FOLDER": "/srv",
    "JWT_SECRET": "j" * 32,
    "ENCRYPTION_KEY": "e" * 32,
    "GOOGLE_CLIENT_ID": "id",
    "GOOGLE_CLIENT_SECRET": "secret",
    **{f"POSTGRES_{name}": name for name in ("DATABASE", "HOST", "PASSWORD", "PORT", "USER")},
}


class ExampleTests(SynchronousTestCase):
    """Every file under examples."""

    def test_there_are_some(self) -> None:
        """The three that the documentation names are there."""
        names = {path.name for path in EXAMPLES}
        self.assertLessEqual({"quickstart.json", "oauth.json", "filesystem-everything.json"}, names)

    def test_validate(self) -> None:
        """Each passes validation and the schema, and loads once its variables are set."""
        for path in EXAMPLES:
            self.assertTrue(passes(validate(str(path))), path)
            load(str(path), ENVIRON)
            value = json.loads(path.read_text("utf-8"))
            self.assertEqual([str(error) for error in Draft202012Validator(schema()).iter_errors(value)], [])

    def test_templates(self) -> None:
        """What ``init`` writes is what the examples show."""
        for name in ("quickstart", "oauth"):
            self.assertEqual(template(name), (ROOT / "examples" / f"{name}.json").read_text("utf-8"))

    def test_form(self) -> None:
        """Templates are indented by two spaces with sorted keys, so that files can be compared."""
        for name in ("quickstart", "oauth"):
            text = template(name)
            self.assertEqual(text.rstrip("\n"), json.dumps(json.loads(text), indent=2, sort_keys=True))


class DocumentTests(SynchronousTestCase):
    """The page about the config file."""

    def test_every_key_is_documented(self) -> None:
        """Each key of the model is in docs/configuration.md."""
        page = (ROOT / "docs" / "configuration.md").read_text("utf-8")
        for section in (schema(), *schema()["$defs"].values()):
            for name in section.get("properties", {}):
                self.assertIn(f"`{name}`", page)

    def test_examples_of_the_page(self) -> None:
        """Every JSON block of the page that is a whole config loads without an error."""
        page = (ROOT / "docs" / "configuration.md").read_text("utf-8")
        blocks = [block.partition("```")[0] for block in page.split("```json\n")[1:]]
        whole = [block for block in blocks if '"version"' in block]
        self.assertTrue(whole)
        for block in blocks:
            json.loads(block)
        for block in whole:
            path = self.mktemp()
            Path(path).write_text(block, "utf-8")
            self.assertTrue(passes(validate(path)), block)
