"""Tell systemd how the service is.

Source: sd_notify(3), sd_watchdog_enabled(3).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping


class Notifier:
    """Send states to the service manager; does nothing where there is none.

    Args:
        environ: ``NOTIFY_SOCKET`` names the socket; ``WATCHDOG_USEC`` and ``WATCHDOG_PID`` ask for signs of
            life.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        # A leading @ stands for the abstract namespace.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._microseconds = _watchdog(environ)

    @property
    def watchdog(self) -> float | None:
        """Seconds between two signs of life, half of what systemd allows; None when it wants none."""
        return self._microseconds / 2_000_000 if self._address and self._microseconds else None

    def ready(self, status: str) -> None:
        """Tell that connections are accepted."""
        self._send(f"READY=1\nSTATUS={_line(status)}")

    def status(self, status: str) -> None:
        """Tell people how it goes, in one line."""
        self._send(f"STATUS={_line(status)}")

    def stopping(self) -> None:
        """Tell that the service is shutting down."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """Give a sign of life."""
        self._send("WATCHDOG=1")

    def _send(self, state: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.settimeout(0)
                sock.sendto(state.encode(), self._address)
        except OSError:
            # A manager that does not listen must not take the service down.
            return


def _line(text: str) -> str:
    return " ".join(text.split())


def _watchdog(environ: Mapping[str, str]) -> int:
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0
    value = environ.get("WATCHDOG_USEC", "")
    return int(value) if value.isdecimal() else 0
