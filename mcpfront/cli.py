"""The ``mcpfront`` command.

Commands and flags stand side by side: ``mcpfront run FILE`` is ``mcpfront -config FILE``. What only one of
them needs is imported late, so that ``mcpfront -version`` answers at once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, TextIO

from mcpfront import __version__
from mcpfront.flags import FlagError, Flags, HelpWanted

if TYPE_CHECKING:
    from mcpfront.config.problem import Problem

FAILED: Final = 1
WRONG_USE: Final = 2

_USAGE: Final = """\
Usage: mcpfront COMMAND [ARGUMENT]
       mcpfront FLAG...

Commands:
  run FILE        run the gateway with a config file
  validate FILE   check a config file; environment variables are not needed
  init [PATH]     write a config file to start with (mcpfront.json)
  schema          print the JSON Schema of the config file
  demo            be a small MCP server on stdin and stdout
  version         print the version

Flags, with one dash or two:
  -config FILE        run the gateway with a config file
  -validate           check the file of -config instead of running it
  -config-init PATH   write a config file with OAuth sign-in
  -force              let -config-init and init replace a file
  -version            print the version
  -help               print this text
"""
_FLAGS: Final = {
    "config": True,
    "config-init": True,
    "validate": False,
    "force": False,
    "version": False,
    "help": False,
}


def main(
    arguments: Sequence[str] | None = None, stdout: TextIO | None = None, stderr: TextIO | None = None
) -> int:
    """Run the command line.

    Args:
        arguments: without the program's name; None for the process's own.
        stdout: takes results; None for the process's own.
        stderr: takes complaints and help; None for the process's own.

    Returns:
        The exit code: 0 for success, 1 for failure, 2 for a command line that cannot be read.
    """
    line = list(sys.argv[1:] if arguments is None else arguments)
    return _Command(stdout or sys.stdout, stderr or sys.stderr).main(line)


class _Command:
    def __init__(self, stdout: TextIO, stderr: TextIO) -> None:
        self._stdout = stdout
        self._stderr = stderr
        self._commands: dict[str, Callable[[list[str]], int]] = {
            "run": self._on_file("run", self._run),
            "validate": self._on_file("validate", self._validate),
            "init": self._init_command,
            "schema": self._alone("schema", self._schema),
            "demo": self._alone("demo", _demo),
            "version": self._alone("version", self._version),
            "help": self._alone("help", self._help),
        }

    def main(self, arguments: list[str]) -> int:
        try:
            flags = Flags(_FLAGS, arguments)
            if flags.rest and not flags and flags.rest[0] in self._commands:
                return self._commands[flags.rest[0]](flags.rest[1:])
        except HelpWanted:
            return self._help()
        except FlagError as error:
            self._complain(str(error))
            self._help()
            return WRONG_USE
        return self._by_flags(flags)

    def _by_flags(self, flags: Flags) -> int:
        """Do what the flags ask, the first of these that is asked."""
        if flags.on("help"):
            return self._help()
        if flags.on("version"):
            return self._version()
        if flags.text("config-init"):
            return self._init("oauth", flags.text("config-init"), force=flags.on("force"))
        if flags.text("config"):
            return (self._validate if flags.on("validate") else self._run)(flags.text("config"))
        if flags.on("validate"):
            self._complain("-validate needs a config file: -config FILE -validate")
            return FAILED
        what = f"{flags.rest[0]} is no command" if flags.rest else "a config file is needed"
        self._complain(f"{what}: mcpfront run FILE, or -config FILE")
        self._complain("mcpfront -help tells more")
        return FAILED

    def _on_file(self, name: str, action: Callable[[str], int]) -> Callable[[list[str]], int]:
        def command(arguments: list[str]) -> int:
            flags = Flags({"config": True}, arguments)
            files = [*flags.rest, *filter(None, [flags.text("config")])]
            if len(files) != 1:
                raise FlagError(f"{name} takes one config file: mcpfront {name} FILE")
            return action(files[0])

        return command

    def _alone(self, name: str, action: Callable[[], int]) -> Callable[[list[str]], int]:
        def command(arguments: list[str]) -> int:
            if Flags({}, arguments).rest:
                raise FlagError(f"{name} takes no arguments")
            return action()

        return command

    def _init_command(self, arguments: list[str]) -> int:
        flags = Flags({"force": False}, arguments)
        more = Flags({"force": False}, flags.rest[1:])
        if more.rest:
            raise FlagError("init takes one path: mcpfront init PATH")
        path = flags.rest[0] if flags.rest else "mcpfront.json"
        return self._init("quickstart", path, force=flags.on("force") or more.on("force"))

    def _help(self) -> int:
        self._stderr.write(_USAGE)
        return 0

    def _version(self) -> int:
        self._say(__version__)
        return 0

    def _run(self, path: str) -> int:
        from mcpfront.app import run  # noqa: PLC0415
        from mcpfront.config.problem import ConfigError  # noqa: PLC0415

        try:
            return run(path)
        except ConfigError as error:
            return self._refuse(path, error.problems)

    def _validate(self, path: str) -> int:
        from mcpfront.config.load import validate  # noqa: PLC0415
        from mcpfront.config.problem import ConfigError  # noqa: PLC0415
        from mcpfront.config.report import passes, report  # noqa: PLC0415

        try:
            problems = validate(path)
        except ConfigError as error:
            return self._refuse(path, error.problems)
        for line in report(path, problems):
            self._say(line)
        return 0 if passes(problems) else FAILED

    def _refuse(self, path: str, problems: list[Problem]) -> int:
        from mcpfront.config.report import error_lines  # noqa: PLC0415

        for line in error_lines(path, problems):
            self._print(self._stderr, line)
        return FAILED

    def _schema(self) -> int:
        import json  # noqa: PLC0415

        from mcpfront.config.schema import schema  # noqa: PLC0415

        self._say(json.dumps(schema(), indent=2, ensure_ascii=False))
        return 0

    def _init(self, name: str, path: str, *, force: bool) -> int:
        from mcpfront.config.initial import ExistsError, write  # noqa: PLC0415

        try:
            write("oauth" if name == "oauth" else "quickstart", path, overwrite=force)
        except ExistsError:
            self._complain(f"{path} exists; -force replaces it")
            return FAILED
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            self._complain(f"{path} cannot be written: {why}")
            return FAILED
        self._say(f"Generated default config at: {path}")
        return 0

    def _say(self, line: str) -> None:
        self._print(self._stdout, line)

    def _complain(self, line: str) -> None:
        self._print(self._stderr, f"mcpfront: {line}")

    def _print(self, stream: TextIO, line: str) -> None:
        """Write a line whatever it holds: paths may be any bytes."""
        encoding = stream.encoding or "utf-8"
        stream.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")


def _demo() -> int:
    from mcpfront.demo import main as demo  # noqa: PLC0415

    return demo()
