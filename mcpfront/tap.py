"""The ``twistd mcpfront`` subcommand: parse options, load the config, hand over to ``app``."""

from __future__ import annotations

import os
import sys
from typing import Any

from twisted.application.service import IService
from twisted.python.usage import Options as TwistedOptions
from twisted.python.usage import UsageError

from mcpfront.config.load import load
from mcpfront.config.problem import ConfigError
from mcpfront.config.report import error_lines
from mcpfront.telemetry import logging

EX_CONFIG = 78
"""What sysexits.h calls a configuration error; service managers can be told not to retry it."""


class Options(TwistedOptions):
    """Options of ``twistd mcpfront``."""

    optParameters: list[list[Any]] = [["config", "c", None, "The config file."]]  # noqa: RUF012

    def postOptions(self) -> None:
        """Insist on a config file.

        Raises:
            UsageError: when none was named.
        """
        if not self["config"]:
            raise UsageError("name a config file: --config FILE")


def makeService(options: Options) -> IService:
    """Build the service that twistd runs.

    Raises:
        SystemExit: with code 78 when the config cannot be used; every problem has been printed.
    """
    logging.configure(os.environ, sys.stderr)
    from twisted.internet import reactor  # noqa: PLC0415 - twistd chooses the reactor before this runs

    from mcpfront import app  # noqa: PLC0415

    try:
        config = load(options["config"], os.environ)
    except ConfigError as error:
        for line in error_lines(options["config"], error.problems):
            print(line, file=sys.stderr)  # noqa: T201
        raise SystemExit(EX_CONFIG) from None
    app.exit_in_order(reactor)
    return app.build(config, reactor, os.environ)
