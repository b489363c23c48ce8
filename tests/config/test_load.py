"""Loading files: what can be read, what is reported, what is told of secrets."""

from __future__ import annotations

import json
import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mcpfront.config.load import LARGEST, load, validate
from mcpfront.config.problem import ConfigError, Problem
from mcpfront.config.report import error_lines, passes, report
from tests.config.support import ENVIRON, file, with_auth, with_server


class LoadTests(SynchronousTestCase):
    """Files on disk."""

    def _file(self, text: str) -> str:
        path = self.mktemp()
        Path(path).write_text(text, "utf-8")
        return path

    def test_good(self) -> None:
        """A good file is a config, whose warnings say what was not refused."""
        value = with_server(wram=1)
        del value["mcpServers"]["files"]["serviceAuths"]
        config = load(self._file(json.dumps(value)), ENVIRON)
        self.assertEqual([problem.severity for problem in config.warnings], ["warning", "note"])
        self.assertIn("open to everybody", config.warnings[1].message)

    def test_bad(self) -> None:
        """A bad file raises every problem at once."""
        path = self._file(json.dumps(with_server(warm="x", command=5, wram=1)))
        error = self.assertRaises(ConfigError, load, path, ENVIRON)
        self.assertEqual([problem.severity for problem in error.problems], ["error", "error", "warning"])
        self.assertEqual(len(error.errors), 2)
        self.assertEqual(len(str(error).splitlines()), 2)

    def test_unreadable(self) -> None:
        """What cannot be read is one problem that says why."""
        for path, words in (
            (self.mktemp(), "No such file"),
            (".", "directory"),
            ("a\0b", "null"),
        ):
            for read in (lambda path: load(path, {}), validate):
                error = self.assertRaises(ConfigError, read, path)
                (problem,) = error.problems
                self.assertIn(words, problem.message)

    def test_too_large(self) -> None:
        """A file too large to be a config is not read to its end."""
        path = self.mktemp()
        with Path(path).open("wb") as big:
            big.truncate(LARGEST * 1000)
        self.assertIn("larger", str(self.assertRaises(ConfigError, validate, path)))

    def test_endless(self) -> None:
        """Nor is a device that never ends."""
        self.assertIn("larger", str(self.assertRaises(ConfigError, validate, "/dev/zero")))

    def test_validate_needs_no_environment(self) -> None:
        """Validating resolves nothing; loading the same file without the variables fails."""
        path = self._file(json.dumps(with_auth()))
        self.assertEqual({problem.severity for problem in validate(path)}, {"note"})
        self.assertRaises(ConfigError, load, path, {})

    def test_environment_is_not_looked_at(self) -> None:
        """The process's own environment is used by nobody."""
        self.assertNotIn("SECRET", os.environ)
        path = self._file(json.dumps(with_auth()))
        self.assertEqual(load(path, ENVIRON).proxy.auth.idp.client_id, "client-secret")

    def test_repr_tells_no_secret(self) -> None:
        """A config can be printed: no resolved secret, argument or variable is in it."""
        value = with_auth()
        basic = {"type": "basic", "username": "u", "password": {"$env": "TOKEN"}}
        value["mcpServers"]["files"].update(
            serviceAuths=[basic, {"type": "bearer", "tokens": [{"$env": "TOKEN"}]}],
            env={"T": {"$env": "TOKEN"}},
            args=[{"$env": "TOKEN"}],
        )
        shown = repr(load(self._file(json.dumps(value)), ENVIRON))
        self.assertNotIn(ENVIRON["TOKEN"], shown)
        self.assertNotIn(ENVIRON["KEY"], shown)


class ReportTests(SynchronousTestCase):
    """The lines of a report."""

    def test_pass(self) -> None:
        """Nothing found: two lines with a blank between them."""
        self.assertEqual(list(report("f", [])), ["Validating: f", "", "Result: PASS"])

    def test_all_kinds(self) -> None:
        """Errors, warnings and notes have sections of their own."""
        found = [Problem("a.b", "is bad"), Problem("", "is odd", "warning"), Problem("c", "is so", "note")]
        self.assertEqual(
            list(report("f", found)),
            [
                "Validating: f",
                "",
                "Errors (1):",
                "  - a.b: is bad",
                "",
                "Warnings (1):",
                "  - is odd",
                "",
                "Notes (1):",
                "  - c: is so",
                "",
                "Result: FAIL",
            ],
        )

    def test_verdicts(self) -> None:
        """Warnings fail validation, notes do not."""
        for severity, verdict, good in (
            ("error", "Result: FAIL", False),
            ("warning", "Result: FAIL (warnings present)", False),
            ("note", "Result: PASS", True),
        ):
            found = [Problem("a", "b", severity)]
            self.assertEqual(list(report("f", found))[-1], verdict)
            self.assertEqual(passes(found), good)

    def test_error_lines(self) -> None:
        """A start that fails says one line for each error."""
        found = [Problem("a", "b"), Problem("", "c"), Problem("d", "e", "warning")]
        self.assertEqual(list(error_lines("f", found)), ["mcpfront: f: a: b", "mcpfront: f: c"])

    def test_one_line_each(self) -> None:
        """No key can break a line of the report."""
        path = self.mktemp()
        Path(path).write_text(json.dumps({**file(), "a\nb": 1, "\u2028": 2}), "utf-8")
        for line in report(path, validate(path)):
            self.assertEqual(len(line.splitlines()), 1 if line else 0)
