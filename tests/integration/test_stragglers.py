"""The search for what ended servers have left behind, among real processes."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from mcpfront.upstream import stragglers
from mcpfront.upstream.stragglers import VARIABLE, Found, kill_marked

NOTHING = Found(set(), set(), complete=True)
SLEEPER = "import time; print(flush=True); time.sleep(60)"


class ScanTests(SynchronousTestCase):
    """A scan of the processes that there are."""

    def setUp(self) -> None:
        """Make two marks."""
        self.mark, self.other = secrets.token_hex(16), secrets.token_hex(16)

    def start(self, mark: str, **environ: str) -> subprocess.Popen[bytes]:
        """Start a process that carries a mark and wait until it runs."""
        process = subprocess.Popen(
            [sys.executable, "-S", "-E", "-c", SLEEPER],
            env={**environ, VARIABLE: mark},
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        assert process.stdout is not None
        self.addCleanup(process.stdout.close)
        process.stdout.readline()
        return process

    def test_kills_marked(self) -> None:
        """What carries a mark is killed; what carries another, or the mark in another place, is not."""
        marked, other = self.start(self.mark, A="x" * 90_000, B="x" * 90_000), self.start(self.other)
        lookalike = self.start("", BEFORE=f"{VARIABLE}={self.mark}", **{f"X{VARIABLE}": self.mark})
        found = kill_marked(frozenset([self.mark.encode()]))
        self.assertEqual(found, Found({marked.pid}, set(), complete=True))
        self.assertEqual(marked.wait(10), -signal.SIGKILL)
        self.assertEqual((other.poll(), lookalike.poll()), (None, None))

    def test_never_itself(self) -> None:
        """The gateway spares itself, and what has ended is left alone."""
        ended = self.start(self.mark)
        ended.kill()
        os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
        with mock.patch.object(stragglers, "_carries", lambda pid, _: pid == os.getpid()):
            self.assertEqual(kill_marked(frozenset([self.mark.encode()])), NOTHING)
        self.assertEqual(kill_marked(frozenset([self.mark.encode()])), NOTHING)

    def test_number_used_again(self) -> None:
        """A process that took the number of another between the look and the kill is spared."""
        bystander = self.start(self.other)
        looks = iter([True])

        def carries(pid: int, _: frozenset[bytes]) -> bool:
            return pid == bystander.pid and next(looks, False)

        with mock.patch.object(stragglers, "_carries", carries):
            self.assertEqual(kill_marked(frozenset([self.mark.encode()])), NOTHING)
        self.assertIsNone(bystander.poll())

    def test_looks_again(self) -> None:
        """After a kill it looks once more, for what was forked meanwhile."""
        first, second = self.start(self.mark), self.start(self.mark)
        lists = iter([[first.pid], [first.pid, second.pid], []])
        with mock.patch.object(stragglers, "_processes", lambda: next(lists)):
            found = kill_marked(frozenset([self.mark.encode()]))
        self.assertEqual(found.killed, {first.pid, second.pid})
        self.assertEqual(next(lists), [])

    def test_vanished(self) -> None:
        """Processes that have gone since they were listed do no harm."""
        ended = self.start(self.mark)
        ended.kill()
        ended.wait()
        with mock.patch.object(stragglers, "_processes", lambda: [ended.pid]):
            self.assertEqual(kill_marked(frozenset([self.mark.encode()])), NOTHING)
            with mock.patch.object(stragglers, "_carries", lambda *_: True):
                self.assertEqual(kill_marked(frozenset([self.mark.encode()])), NOTHING)

    def test_refused(self) -> None:
        """A process that may not be killed is told."""
        marked = self.start(self.mark)
        with mock.patch("signal.pidfd_send_signal", side_effect=PermissionError):
            found = kill_marked(frozenset([self.mark.encode()]))
        self.assertEqual(found, Found(set(), {marked.pid}, complete=True))

    def test_unreadable(self) -> None:
        """A process whose environment cannot be read is passed over."""
        with mock.patch("os.read", side_effect=OSError(5, "Input/output error")):
            self.assertEqual(kill_marked(frozenset([self.mark.encode()])), NOTHING)

    def test_no_descriptors(self) -> None:
        """A scan that cannot open files fails instead of finding nothing."""
        with mock.patch("os.open", side_effect=OSError(24, "Too many open files")):
            self.assertRaises(OSError, kill_marked, frozenset([self.mark.encode()]))

    def test_bounded(self) -> None:
        """A scan that takes too long gives up and says so."""
        with mock.patch.object(stragglers, "LONGEST", -1.0):
            self.assertFalse(kill_marked(frozenset([self.mark.encode()])).complete)
