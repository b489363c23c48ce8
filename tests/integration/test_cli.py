"""The command as a process: what it imports, prints and returns."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import TestCase

import mcpfront
from mcpfront.config.initial import template

ROOT = Path(mcpfront.__file__).resolve().parents[1]


def run(*arguments: str, environ: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=ROOT,
        env={**os.environ, **(environ or {})},
    )


class ProcessTests(TestCase):
    """Real processes."""

    def test_version(self) -> None:
        """The version is printed by the module as by the command."""
        told = run("-m", "mcpfront", "--version")
        self.assertEqual((told.returncode, told.stdout, told.stderr), (0, mcpfront.__version__ + "\n", ""))

    def test_imports(self) -> None:
        """The version, help and validation need neither Twisted nor klein."""
        for line in (["-version"], ["-help"], ["validate", "examples/quickstart.json"], ["schema"]):
            code = f"import sys; from mcpfront import cli; cli.main({line!r}); sys.exit(repr([*sys.modules]))"
            told = run("-c", code)
            self.assertTrue(told.stdout or "Usage" in told.stderr, told.stderr)
            for name in ("'twisted'", "'klein'", "'treq'", "'authlib'"):
                self.assertNotIn(name, told.stderr)

    def test_exit_codes(self) -> None:
        """Exit codes reach the shell."""
        for line, code in (
            (["-help"], 0),
            (["-nope"], 2),
            ([], 1),
            (["-validate"], 1),
            (["validate", "missing.json"], 1),
            (["validate", "examples/oauth.json"], 0),
        ):
            self.assertEqual(run("-m", "mcpfront", *line).returncode, code, line)

    def test_init_and_validate(self) -> None:
        """A file that is made passes, in a locale without UTF-8 too."""
        path = str(Path(self.mktemp()).absolute())
        for line in (["init", path], ["validate", path]):
            told = run(
                "-m",
                "mcpfront",
                *line,
                environ={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
            )
            self.assertEqual((told.returncode, told.stderr), (0, ""))
        self.assertEqual(json.loads(Path(path).read_text("utf-8")), json.loads(template("quickstart")))

    def test_any_locale(self) -> None:
        """Words outside the locale's encoding are escaped, not fatal."""
        path = str(Path(self.mktemp()).absolute())
        value = json.loads(template("quickstart"))
        value["mcpServers"]["quickstart"]["args"] = [5]
        Path(path).write_text(json.dumps(value), "utf-8")
        told = run("-m", "mcpfront", "validate", path, environ={"PYTHONIOENCODING": "ascii"})
        self.assertEqual(told.returncode, 1)
        self.assertIn("\\u2026", told.stdout)

    def test_run_with_a_bad_config(self) -> None:
        """A config that cannot be used ends the start with a line for each error and code 1."""
        path = str(Path(self.mktemp()).absolute())
        Path(path).write_text('{"proxy": 5}', "utf-8")
        told = run("-m", "mcpfront", "run", path)
        self.assertEqual((told.returncode, told.stdout), (1, ""))
        lines = told.stderr.splitlines()
        self.assertEqual(len(lines), 3)
        self.assertTrue(all(line.startswith(f"mcpfront: {path}: ") for line in lines))
