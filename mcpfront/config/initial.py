"""The config files that ``mcpfront init`` and ``-config-init`` write."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

Template = Literal["quickstart", "oauth"]


class ExistsError(Exception):
    """There is a file already, and it is not to be overwritten."""


def template(name: Template) -> str:
    """Return the text of a config file that validates."""
    return (Path(__file__).parent / f"{name}.json").read_text("utf-8")


def write(name: Template, path: str, *, overwrite: bool) -> None:
    """Write a config file, readable for all as it holds no secrets.

    Args:
        name: which template.
        path: the file to make.
        overwrite: whether an existing file is replaced.

    Raises:
        ExistsError: the file exists and is not to be overwritten.
        OSError: it cannot be written.
    """
    how = os.O_TRUNC if overwrite else os.O_EXCL
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | how, 0o644)
    except FileExistsError:
        raise ExistsError(path) from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(template(name))
