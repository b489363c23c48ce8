"""The command line: streams, exit codes and precedence."""

from __future__ import annotations

import io
import json
import os
import stat
import sys
import types
from pathlib import Path
from typing import NamedTuple

from twisted.trial.unittest import SynchronousTestCase

import mcpfront
from mcpfront import cli
from mcpfront.config.initial import template
from mcpfront.config.problem import ConfigError, Problem
from tests.config.support import STDIO, VERSION, file, with_server


class Outcome(NamedTuple):
    """What a command left."""

    code: int
    out: str
    err: str


def run(*arguments: str) -> Outcome:
    """Run a command line in memory."""
    out, err = io.StringIO(), io.StringIO()
    return Outcome(cli.main(arguments, out, err), out.getvalue(), err.getvalue())


class CommandCase(SynchronousTestCase):
    """Makes config files, and an application that only notes what it is asked to run."""

    def setUp(self) -> None:
        """Put a recorder in the place of the application."""
        self.ran: list[str] = []
        self.answer: int | Exception = 0
        recorder = types.ModuleType("mcpfront.app")
        recorder.run = self._ran  # type: ignore[attr-defined]
        before = sys.modules.get("mcpfront.app")
        sys.modules["mcpfront.app"] = recorder
        self.addCleanup(_restore, before)

    def _ran(self, path: str) -> int:
        self.ran.append(path)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def config(self, value: object = None) -> str:
        """Write a config file and return its path."""
        path = self.mktemp()
        Path(path).write_text(json.dumps(file() if value is None else value), "utf-8")
        return path


def _restore(module: types.ModuleType | None) -> None:
    if module is None:
        del sys.modules["mcpfront.app"]
    else:
        sys.modules["mcpfront.app"] = module


class FlagTests(CommandCase):
    """The flags that teams know from other gateways."""

    def test_help(self) -> None:
        """Help goes to stderr, and is no failure."""
        for line in (
            ["-help"],
            ["-h"],
            ["--help"],
            ["help"],
            ["run", "-h"],
            ["-help", "-version"],
            ["-validate", "-h"],
        ):
            told = run(*line)
            self.assertEqual((told.code, told.out), (0, ""), line)
            for flag in ("-config ", "-config-init", "-validate", "-version", "-help"):
                self.assertIn(flag, told.err)

    def test_unknown_flag(self) -> None:
        """An unknown flag is named, with the usage, and the code is 2."""
        told = run("-nope")
        self.assertEqual((told.code, told.out), (2, ""))
        self.assertEqual(told.err.splitlines()[0], "mcpfront: unknown flag -nope")
        self.assertIn("Usage", told.err)

    def test_version(self) -> None:
        """The version is a line on stdout."""
        for line in (["-version"], ["--version"], ["version"], ["-version", "-config", "missing"]):
            self.assertEqual(run(*line), (0, mcpfront.__version__ + "\n", ""))

    def test_nothing(self) -> None:
        """Without flags, two lines say what is needed and where help is."""
        for line in ([], ["extra", "-config", "x"], ["-validate=false"], ["-config", ""]):
            told = run(*line)
            self.assertEqual((told.code, told.out, len(told.err.splitlines())), (1, "", 2), line)
        self.assertEqual(self.ran, [])

    def test_unknown_command(self) -> None:
        """A word that is no command is named."""
        self.assertIn("serve is no command", run("serve").err)

    def test_run(self) -> None:
        """A config file alone is run, and the code is the gateway's."""
        for self.answer in (0, 1):
            for line in (
                ["-config", "f"],
                ["--config=f"],
                ["run", "f"],
                ["run", "-config", "f"],
                ["-config", "f", "rest"],
            ):
                self.assertEqual(run(*line), (self.answer, "", ""))
        self.assertEqual(set(self.ran), {"f"})

    def test_run_with_a_bad_config(self) -> None:
        """Each error of a config is one line on stderr, and the code is 1."""
        self.answer = ConfigError(
            [Problem("a.b", "is bad"), Problem("c", "is odd", "warning"), Problem("", "is worse")]
        )
        self.assertEqual(run("run", "f"), (1, "", "mcpfront: f: a.b: is bad\nmcpfront: f: is worse\n"))

    def test_precedence(self) -> None:
        """Help before version before config-init before validate before run."""
        path, made = self.config(), self.mktemp()
        line = ["-config", path, "-validate", "-config-init", made, "-version", "-help"]
        self.assertIn("Usage", run(*line).err)
        self.assertEqual(run(*line[:-1]).out, mcpfront.__version__ + "\n")
        self.assertIn("Generated", run(*line[:-2]).out)
        self.assertIn("Validating", run(*line[:-4]).out)
        self.assertEqual(self.ran, [])
        run(*line[:-5])
        self.assertEqual(self.ran, [path])


class ValidateTests(CommandCase):
    """``-validate`` and ``validate``."""

    def test_pass(self) -> None:
        """A good file passes, without its environment variables."""
        path = self.config()
        for line in (["-config", path, "-validate"], ["--validate", "--config", path], ["validate", path]):
            self.assertEqual(run(*line), (0, f"Validating: {path}\n\nResult: PASS\n", ""))

    def test_errors(self) -> None:
        """Errors are listed with their paths, and the code is 1."""
        told = run("validate", self.config(with_server(command=5)))
        self.assertEqual((told.code, told.err), (1, ""))
        self.assertIn(
            'Errors (1):\n  - mcpServers.files.command: must be a string or {"$env": "NAME"}', told.out
        )
        self.assertTrue(told.out.endswith("\n\nResult: FAIL\n"))

    def test_warnings(self) -> None:
        """Warnings alone make the code 1 too."""
        told = run("validate", self.config(with_server(comand="x")))
        self.assertEqual(told.code, 1)
        self.assertTrue(told.out.endswith("\n\nResult: FAIL (warnings present)\n"))

    def test_notes(self) -> None:
        """Notes fail nothing: an open server is told and passes."""
        told = run("validate", self.config(file(files={"transportType": "stdio", "command": "x"})))
        self.assertEqual(told.code, 0)
        self.assertIn("Notes (1):\n  - mcpServers.files: is open", told.out)

    def test_unreadable(self) -> None:
        """A file that cannot be read is one clear line on stderr, and the code is 1."""
        path = self.mktemp()
        for line in (["-config", path, "-validate"], ["validate", path]):
            self.assertEqual(
                run(*line), (1, "", f"mcpfront: {path}: cannot be read: No such file or directory\n")
            )

    def test_not_json(self) -> None:
        """A file that is no JSON has a report with the place of the fault."""
        path = self.mktemp()
        Path(path).write_text("{,}", "utf-8")
        self.assertIn("line 1, column 2", run("validate", path).out)

    def test_without_config(self) -> None:
        """Validating nothing is one line on stderr."""
        told = run("-validate")
        self.assertEqual((told.code, told.out, len(told.err.splitlines())), (1, "", 1))

    def test_strange_path(self) -> None:
        """A path of any bytes is printed."""
        told = run("validate", os.fsdecode(b"\xff\xfe"))
        self.assertEqual(told.code, 1)
        told.err.encode("utf-8")

    def test_secrets_are_not_printed(self) -> None:
        """A secret in the file is in no report."""
        entry = {"type": "basic", "username": "u", "password": "hush-hush"}
        told = run("validate", self.config(with_server(serviceAuths=[entry], env={"K": "hush-hush$X"})))
        self.assertEqual(told.out.count("  - "), 2)
        self.assertNotIn("hush", told.out + told.err)


class InitTests(CommandCase):
    """``init`` and ``-config-init``."""

    def test_config_init(self) -> None:
        """The file with sign-in is written, readable for all, and passes validation."""
        path = self.mktemp()
        self.addCleanup(os.umask, os.umask(0o022))
        self.assertEqual(run("-config-init", path), (0, f"Generated default config at: {path}\n", ""))
        self.assertEqual(stat.S_IMODE(Path(path).stat().st_mode), 0o644)
        self.assertEqual(Path(path).read_text("utf-8"), template("oauth"))
        self.assertEqual(json.loads(template("oauth"))["version"], VERSION)
        self.assertEqual(run("validate", path).code, 0)

    def test_init(self) -> None:
        """The file to start with is written and passes validation."""
        path = self.mktemp()
        self.assertEqual(run("init", path).code, 0)
        self.assertEqual(Path(path).read_text("utf-8"), template("quickstart"))
        self.assertEqual(run("validate", path).code, 0)

    def test_default_path(self) -> None:
        """Without a path it is mcpfront.json where one stands."""
        folder = self.mktemp()
        Path(folder).mkdir()
        self.addCleanup(os.chdir, Path.cwd())
        os.chdir(folder)
        self.assertEqual(run("init").out, "Generated default config at: mcpfront.json\n")
        self.assertTrue(Path("mcpfront.json").exists())

    def test_existing(self) -> None:
        """A file is replaced only if that is asked for."""
        path = self.config({"mine": 1})
        for line in (["init", path], ["-config-init", path]):
            told = run(*line)
            self.assertEqual(
                (told.code, told.out, told.err), (1, "", f"mcpfront: {path} exists; -force replaces it\n")
            )
            self.assertIn("mine", Path(path).read_text("utf-8"))
        for line in (["init", path, "-force"], ["init", "-force", path], ["-force", "-config-init", path]):
            self.assertEqual(run(*line).code, 0)
            self.assertNotIn("mine", Path(path).read_text("utf-8"))

    def test_unwritable(self) -> None:
        """What cannot be written is one clear line."""
        for line in (["-config-init", "/proc/nope/x"], ["init", "/proc/nope/x"], ["init", "a\0b"]):
            told = run(*line)
            self.assertEqual((told.code, told.out, len(told.err.splitlines())), (1, "", 1))
            self.assertIn("cannot be written", told.err)


class OtherCommandTests(CommandCase):
    """The rest of the commands."""

    def test_schema(self) -> None:
        """The schema is JSON on stdout."""
        told = run("schema")
        self.assertEqual((told.code, told.err), (0, ""))
        self.assertEqual(json.loads(told.out)["title"], "mcpfront config file")

    def test_demo(self) -> None:
        """The demo server's code is the command's."""
        from mcpfront import demo

        self.patch(demo, "main", lambda: 7)
        self.assertEqual(run("demo").code, 7)

    def test_wrong_arguments(self) -> None:
        """Too many arguments or too few are told, with the usage, and the code is 2."""
        for line in (
            ["run"],
            ["run", "a", "b"],
            ["validate"],
            ["schema", "x"],
            ["version", "x"],
            ["demo", "x"],
            ["init", "a", "b"],
            ["run", "-nope"],
        ):
            told = run(*line)
            self.assertEqual((told.code, told.out), (2, ""), line)
            self.assertIn("Usage", told.err)

    def test_own_streams(self) -> None:
        """Without streams the process's own are used."""
        out = io.StringIO()
        self.patch(sys, "stdout", out)
        self.patch(sys, "argv", ["mcpfront", "-version"])
        self.assertEqual(cli.main(), 0)
        self.assertEqual(out.getvalue(), mcpfront.__version__ + "\n")

    def test_server_of_the_support(self) -> None:
        """The config of these tests is itself a good one."""
        self.assertEqual(run("validate", self.config(file(files=STDIO))).code, 0)
