"""Loading a config file: read, validated by the one set of rules, references resolved."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from mcpfront.config.check import check
from mcpfront.config.finish import finish
from mcpfront.config.json_text import decode
from mcpfront.config.model import Config
from mcpfront.config.problem import ConfigError, Findings, Problem
from mcpfront.config.read import read

LARGEST: Final = 8 * 1024 * 1024
"""Bytes of a config file."""


def load(path: str, environ: Mapping[str, str]) -> Config:
    """Load a config file for running.

    Args:
        path: the file.
        environ: the environment from which ``$env`` references are taken.

    Raises:
        ConfigError: with every problem, if one of them is an error.
    """
    config, problems = examine(read_file(path), environ)
    if config is None:
        raise ConfigError(problems)
    return replace(config, warnings=tuple(problems))


def validate(path: str) -> list[Problem]:
    """Validate a config file without resolving its references; return all that was found.

    Raises:
        ConfigError: the file cannot be read.
    """
    return examine(read_file(path), None)[1]


def examine(text: bytes, environ: Mapping[str, str] | None) -> tuple[Config | None, list[Problem]]:
    """Read and check the text of a config file.

    Args:
        text: the file's bytes.
        environ: the environment from which ``$env`` is taken, None to leave such texts unknown.

    Returns:
        The config, None if there are errors; and all that was found, errors first.
    """
    findings = Findings()
    value = decode(text, findings)
    if findings.fatal:
        return None, findings.sorted()
    config = read(value, environ, findings)
    check(config, findings)
    if findings.fatal:
        return None, findings.sorted()
    return finish(config), findings.sorted()


def read_file(path: str) -> bytes:
    """Read a config file.

    Raises:
        ConfigError: with one problem that says why it cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            text = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ConfigError([Problem("", f"cannot be read: {why}")]) from None
    if len(text) > LARGEST:
        raise ConfigError([Problem("", f"is larger than {LARGEST} bytes; is it a config file?")])
    return text
