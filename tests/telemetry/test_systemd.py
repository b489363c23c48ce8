"""What systemd is told."""

import os
import socket

from twisted.trial.unittest import SynchronousTestCase

from mcpfront.telemetry.systemd import Notifier


class NotifierTests(SynchronousTestCase):
    """Datagrams to the service manager."""

    def manager(self):
        """Open a socket in the abstract namespace and return it with its name."""
        name = f"mcpfront-test-{os.getpid()}-{id(self)}"
        receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(receiver.close)
        receiver.bind("\0" + name)
        receiver.settimeout(0)
        return receiver, "@" + name

    def test_states(self):
        """Each state is one datagram in the protocol's own words, a status one line."""
        receiver, address = self.manager()
        notifier = Notifier({"NOTIFY_SOCKET": address})
        notifier.ready("listening on\n:8080")
        notifier.status("draining")
        notifier.alive()
        notifier.stopping()
        self.assertEqual(
            [receiver.recv(1000) for _ in range(4)],
            [b"READY=1\nSTATUS=listening on :8080", b"STATUS=draining", b"WATCHDOG=1", b"STOPPING=1"],
        )

    def test_file(self):
        """A socket that is a file is found too."""
        path = self.mktemp()
        receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(receiver.close)
        receiver.bind(os.path.relpath(path))
        receiver.settimeout(0)
        Notifier({"NOTIFY_SOCKET": os.path.relpath(path)}).alive()
        self.assertEqual(receiver.recv(100), b"WATCHDOG=1")

    def test_nobody(self):
        """Without a manager, or with one that is gone, nothing happens."""
        Notifier({}).ready("x")
        Notifier({"NOTIFY_SOCKET": "/nonexistent/socket"}).ready("x")

    def test_watchdog(self):
        """Signs of life are due at half the time that systemd allows, if it asks this process."""
        asked = {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "30000000"}
        self.assertEqual(Notifier(asked).watchdog, 15.0)
        self.assertEqual(Notifier({**asked, "WATCHDOG_PID": str(os.getpid())}).watchdog, 15.0)
        self.assertIsNone(Notifier({**asked, "WATCHDOG_PID": "1"}).watchdog)
        self.assertIsNone(Notifier({"WATCHDOG_USEC": "30000000"}).watchdog)
        self.assertIsNone(Notifier({"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "soon"}).watchdog)
