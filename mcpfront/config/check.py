"""The rules across keys that a config file must keep; the same for running and for validating."""

from __future__ import annotations

from mcpfront.config.model import Config
from mcpfront.config.problem import Findings


def check(config: Config, findings: Findings) -> None:
    """Check what single values cannot show.

    Args:
        config: the config as read, with unknown texts where values were refused.
        findings: takes the problems.
    """
    if not config.version.startswith("v0.0.1-DEV_EDITION") and ("version",) not in findings.refused:
        findings.error(("version",), 'must start with "v0.0.1-DEV_EDITION"')
