"""What a child is started with: its program, its arguments, and an environment made from an allow-list."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

from mcpfront.errors import HandshakeFailed
from mcpfront.upstream.settings import StdioSettings

INHERITED: Final = frozenset({"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TERM", "TMPDIR"})
"""Names that every child gets from the gateway's environment, besides ``LC_*``."""
OWN_PROGRAMS: Final = str(Path(sys.executable).parent)
"""Where programs lie that were installed beside the gateway; it need not be on the PATH."""


@dataclass(frozen=True, slots=True)
class Launch:
    """A command ready to be started; what it holds may be secret.

    Attributes:
        argv: the program by absolute path, and its arguments.
        env: the whole environment.
    """

    argv: list[str] = field(repr=False)
    env: dict[str, str] = field(repr=False)


def prepare(settings: StdioSettings, environ: Mapping[str, str]) -> Launch:
    """Make the command of one child, in a session and process group of its own.

    Args:
        settings: the configured server.
        environ: the gateway's environment, of which a child sees the allowed names.

    Raises:
        HandshakeFailed: the command or its directory is not there, or a user's token is needed.
    """
    _refuse_user_token(settings)
    env = environment(settings, environ)
    argv = [_program(settings, env), *(arg.render(None) for arg in settings.args)]
    return Launch([*_prefix(settings), *argv], env)


def environment(settings: StdioSettings, environ: Mapping[str, str]) -> dict[str, str]:
    """Return a child's environment: allowed names, names to pass through, configured values; nothing else."""
    wanted = INHERITED | set(settings.env_passthrough)
    env = {name: value for name, value in environ.items() if name in wanted or name.startswith("LC_")}
    env.setdefault("PATH", os.defpath)
    env.update({name: value.render(None) for name, value in settings.env.items()})
    return env


def needs_user_token(settings: StdioSettings) -> bool:
    """Tell whether a child cannot be started without a token of its user's own."""
    return any(text.needs_token for text in (*settings.args, *settings.env.values()))


@cache
def tool(name: str) -> str | None:
    """Return the absolute path of a system tool, None where there is none."""
    return shutil.which(name, path=os.environ.get("PATH", os.defpath) + ":/usr/bin:/bin")


def _refuse_user_token(settings: StdioSettings) -> None:
    if needs_user_token(settings):
        raise HandshakeFailed(
            f"the server '{settings.name}' needs a personal token of its user, "
            "which this version cannot supply"
        )


def _program(settings: StdioSettings, env: Mapping[str, str]) -> str:
    command = settings.command
    if settings.cwd is not None:
        if not Path(settings.cwd).is_dir():
            raise HandshakeFailed(f"the server '{settings.name}' cannot start: its directory does not exist")
        if "/" in command:
            command = str(Path(settings.cwd) / command)
    found = shutil.which(command, path=env["PATH"]) or shutil.which(command, path=OWN_PROGRAMS)
    if found is None:
        raise HandshakeFailed(
            f"the server '{settings.name}' cannot start: the command '{settings.command}' was not found"
        )
    return str(Path(found).absolute())


def _prefix(settings: StdioSettings) -> list[str]:
    """Return what the program is started through.

    ``setsid`` gives it a group that can be signalled whole; ``setpriv`` ends it should the gateway be killed;
    ``env`` changes the directory, since asking Twisted to do it means a fork of the whole gateway.
    """
    setsid = tool("setsid")
    if setsid is None:
        raise HandshakeFailed("servers cannot be started: the program 'setsid' (util-linux) is not installed")
    prefix = [setsid]
    if (setpriv := _full("setpriv")) is not None:
        prefix += [setpriv, "--pdeathsig", "KILL", "--"]
    if settings.cwd is None:
        return prefix
    if (env := _full("env")) is not None:
        return [env, f"--chdir={settings.cwd}", *prefix]
    return ["/bin/sh", "-c", 'cd -- "$0" && exec "$@"', settings.cwd, *prefix]


def _full(name: str) -> str | None:
    """Return a tool's path unless it is missing or busybox's, which lacks the options that are needed."""
    found = tool(name)
    return None if found is None or "busybox" in str(Path(found).resolve()) else found
