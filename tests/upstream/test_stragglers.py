"""The end of what ended servers have left behind."""

from __future__ import annotations

import os
from unittest import mock

import structlog
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mcpfront.upstream.stragglers import (
    GRACE,
    INTERVAL,
    PATIENCE,
    VARIABLE,
    Found,
    Stragglers,
    scanner,
)
from tests.upstream.fakes import BEN, UpstreamCase

NOTHING = Found(set(), set(), complete=True)


class Case(SynchronousTestCase):
    """Scans that end when the test says so."""

    def setUp(self) -> None:
        """Start the clock."""
        self.clock = Clock()
        self.clock.advance(1000)
        self.capture = structlog.testing.LogCapture()
        self.log = structlog.wrap_logger(None, processors=[self.capture])
        self.scans: list[tuple[frozenset[bytes], Deferred[Found]]] = []
        self.stragglers = Stragglers(self.scan, self.clock, self.log)

    def tearDown(self) -> None:
        """See that no timer is left."""
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def scan(self, marks: frozenset[bytes]) -> Deferred[Found]:
        """Begin a scan."""
        self.scans.append((marks, Deferred()))
        return self.scans[-1][1]

    def settling(self) -> Deferred[None]:
        """Begin to wait for the end of the search."""
        return Deferred.fromCoroutine(self.stragglers.settled())

    def told(self) -> list[str]:
        """Return what was logged."""
        return [str(entry["event"]) for entry in self.capture.entries]


class StragglersTests(Case):
    """When is looked for whom."""

    def test_many_at_once(self) -> None:
        """One scan looks for the remains of all that have ended since the last."""
        for number in range(1000):
            self.stragglers.ended(f"{number}")
        self.assertEqual(self.scans, [])
        self.clock.advance(GRACE)
        ((marks, scan),) = self.scans
        self.assertEqual(len(marks), 1000)
        scan.callback(NOTHING)

    def test_seldom(self) -> None:
        """However many end, scans are half a second apart, and each mark is looked for once."""
        for number in range(1000):
            self.stragglers.ended(f"{number}")
            self.clock.advance(0.001)
            for _, scan in self.scans:
                if not scan.called:
                    scan.callback(NOTHING)
        self.clock.advance(INTERVAL)
        self.scans[-1][1].callback(NOTHING)
        self.assertEqual(len(self.scans), 3)
        self.assertEqual(sum(len(marks) for marks, _ in self.scans), 1000)

    def test_one_at_a_time(self) -> None:
        """What ends during a scan is looked for by the next, which waits for the first."""
        self.stragglers.ended("a")
        self.clock.advance(GRACE)
        self.stragglers.ended("b")
        self.clock.advance(10)
        self.assertEqual(len(self.scans), 1)
        self.scans[0][1].callback(NOTHING)
        self.clock.advance(GRACE)
        self.assertEqual([marks for marks, _ in self.scans], [{b"a"}, {b"b"}])
        self.scans[1][1].callback(NOTHING)

    def test_settled(self) -> None:
        """The end is waited for until nobody is left to look for."""
        self.successResultOf(self.settling())
        self.stragglers.ended("a")
        first, second = self.settling(), self.settling()
        self.clock.advance(GRACE)
        self.stragglers.ended("b")
        self.scans[0][1].callback(NOTHING)
        self.assertNoResult(first)
        self.clock.advance(INTERVAL)
        self.scans[1][1].callback(NOTHING)
        self.successResultOf(first)
        self.successResultOf(second)

    def test_settled_not_for_ever(self) -> None:
        """A scan that does not end is not waited for."""
        self.stragglers.ended("a")
        self.clock.advance(GRACE)
        settling = self.settling()
        self.clock.advance(INTERVAL + PATIENCE)
        self.successResultOf(settling)
        self.assertIn("takes too long", self.told()[0])

    def test_told(self) -> None:
        """Who was killed is logged, and what could not be done."""
        self.stragglers.ended("a")
        self.clock.advance(GRACE)
        self.scans[0][1].callback(Found({2, 1}, {3}, complete=False))
        self.assertEqual([entry.get("pids") for entry in self.capture.entries], [[1, 2], [3], None])

    def test_failure(self) -> None:
        """A scan that fails is logged, and the next one takes place."""
        self.stragglers.ended("a")
        self.clock.advance(GRACE)
        self.scans[0][1].errback(OSError(24, "Too many open files"))
        self.assertIn("Too many open files", self.capture.entries[0]["traceback"])
        self.stragglers.ended("b")
        self.clock.advance(INTERVAL)
        self.scans[1][1].callback(NOTHING)

    def test_impossible(self) -> None:
        """Where the system offers no way nothing is done, and that is told once."""
        stragglers = Stragglers(None, self.clock, self.log)
        stragglers.ended("a")
        stragglers.ended("b")
        self.successResultOf(Deferred.fromCoroutine(stragglers.settled()))
        self.assertEqual([entry["log_level"] for entry in self.capture.entries], ["info"])

    def test_no_way(self) -> None:
        """A system without process descriptors or an older one is recognized."""
        self.assertIsNotNone(scanner(None))
        with mock.patch("os.pidfd_open", side_effect=OSError(38, "Function not implemented")):
            self.assertIsNone(scanner(None))
        pidfd_open = os.pidfd_open
        del os.pidfd_open
        try:
            self.assertIsNone(scanner(None))
        finally:
            os.pidfd_open = pidfd_open


class UpstreamTests(UpstreamCase):
    """Whose marks are looked for."""

    def marks(self) -> list[bytes]:
        """Return the marks of the processes started so far."""
        return [process.env[VARIABLE].encode() for process in self.reactor.processes]

    def test_ended_alone(self) -> None:
        """The remains of an ended server are looked for, those of a living one are not."""
        up = self.upstream()
        connection = self.open(up)
        self.open(up, BEN)
        self.assertEqual(self.scans, [])
        closing = Deferred.fromCoroutine(connection.close())
        self.reactor.pump([GRACE] * 10)
        self.successResultOf(closing)
        self.assertEqual(self.scans, [{self.marks()[0]}])

    def test_died(self) -> None:
        """The remains of a server that died are looked for too, once its pipes are let go."""
        self.open(self.upstream())
        self.last.exit(killed_by=9, holds=(1, 2))
        self.reactor.pump([GRACE] * 10)
        self.assertEqual(self.scans, [set(self.marks())])

    def test_close_waits(self) -> None:
        """The close of a server waits for the scan after its last process."""
        up = self.upstream()
        self.open(up)
        closing = Deferred.fromCoroutine(up.close())
        self.reactor.advance(0)
        self.assertNoResult(closing)
        self.reactor.advance(GRACE)
        self.successResultOf(closing)
        self.assertEqual(self.scans, [set(self.marks())])

    def test_not_started(self) -> None:
        """Nothing is looked for when no process was started."""
        up = self.upstream()
        self.patch(self.reactor, "spawnProcess", mock.Mock(side_effect=OSError))
        self.failureResultOf(self.opening(up))
        self.successResultOf(Deferred.fromCoroutine(up.close()))
        self.assertEqual(self.scans, [])
