"""A test case whose gateway must be as it was before: no child, no descriptor, no memory, no traceback."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from twisted.trial.unittest import TestCase

from tests.integration.conversation import conversations, forget_peak, peak_bytes, tool
from tests.integration.harness import ROOT, Gateway, stdio_server, wait_for
from tests.integration.processes import open_descriptors, resident_bytes

IDLE = "2s"
MIB = 1024 * 1024


def played(mode: str, **members: Any) -> dict[str, Any]:
    """Return the config of a server that behaves as told."""
    args = ("-S", "-E", "-m", "mcpfront.testing.hostile", mode)
    return stdio_server(sys.executable, *args, **{"cwd": str(ROOT), **members})


def proxy(**limits: Any) -> dict[str, Any]:
    """Return settings under which unused sessions end soon, with some limits."""
    return {"sessions": {"timeout": IDLE, "cleanupInterval": "200ms"}, "limits": limits}


class SteadyCase(TestCase):
    """Runs gateways and looks at what their clients and servers leave behind."""

    timeout = 120

    @contextmanager
    def running(
        self,
        servers: dict[str, dict[str, Any]],
        settings: dict[str, Any] | None = None,
        *,
        peak: int = 12 * MIB,
        growth: int = 6 * MIB,
    ) -> Iterator[Gateway]:
        """Run a gateway that has, besides the given servers, one named ``good``.

        Args:
            servers: the servers by name.
            settings: members of the config's ``proxy``.
            peak: how far its memory may go up meanwhile, in bytes.
            growth: how much of that it may keep when everything is over.
        """
        gateway = Gateway({"good": played("good"), **servers}, proxy=settings or proxy())
        self.addCleanup(gateway.close)
        gateway.start()
        self.converse(gateway)
        descriptors, memory = open_descriptors(gateway.pid), resident_bytes(gateway.pid)
        forget_peak(gateway.pid)
        yield gateway
        self.assertLess(peak_bytes(gateway.pid) - memory, peak)
        session = gateway.session("good")
        self.assertIn("result", tool(session, "echo"))
        session.end()
        wait_for(lambda: not gateway.family(), 20, "the end of every child")
        wait_for(lambda: open_descriptors(gateway.pid) <= descriptors, 5, "the closing of descriptors")
        self.assertLess(resident_bytes(gateway.pid) - memory, growth)
        self.assertNotIn("Traceback", gateway.text())
        gateway.stop()

    def converse(self, gateway: Gateway) -> None:
        """Use everything once, so that what is made at first use is made."""
        for session in conversations(gateway, "good"):
            self.assertIn("result", tool(session, "progress"))
            session.end()
        wait_for(lambda: not gateway.family(), 20, "the end of the first children")

    def told(self, gateway: Gateway, event: str) -> list[dict[str, Any]]:
        """Return the log lines of an event."""
        return [line for line in gateway.log() if line["msg"] == event]
