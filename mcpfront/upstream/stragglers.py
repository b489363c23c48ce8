"""Ends what ended servers have left behind outside their process groups: daemons in sessions of their own.

A process inherits the environment of the one that started it, so each server gets a mark in its environment,
and whatever carries the mark of an ended server is killed.

Source: proc(5) ``/proc/pid/environ``, pidfd_open(2), pidfd_send_signal(2).
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.defer import TimeoutError as WaitTimeoutError
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure

VARIABLE: Final = "MCPFRONT_PROCESS"
"""The variable that holds the mark."""

GRACE: Final = 0.1
"""Seconds between an end and the scan: a process that is being started shows no environment for a moment."""
INTERVAL: Final = 0.5
"""Seconds between two scans."""
PATIENCE: Final = 1.0
"""Seconds that a scan is waited for when everything stops."""
LONGEST: Final = 10.0
"""Seconds after which a scan gives up; a busy reactor slows it down."""
LARGEST: Final = 512 * 1024
"""Bytes of an environment that are read."""
CHUNK: Final = 64 * 1024
"""Bytes that are read at once; memory for more would be had from the system anew each time."""
ROUNDS: Final = 2
"""A process may have forked before it was killed, so what killed something looks once more."""

_MARK: Final = re.compile(rb"\0%s=([0-9a-f]{32})(?=\0)" % VARIABLE.encode())


class Found(NamedTuple):
    """What a scan has done.

    Attributes:
        killed: the processes that it has killed.
        refused: those that may not be killed.
        complete: whether every process was looked at.
    """

    killed: set[int]
    refused: set[int]
    complete: bool


Scan = Callable[[frozenset[bytes]], Deferred[Found]]


class Stragglers:
    """Gathers the marks of ended servers and has their remains killed, many with one scan.

    Args:
        scan: kills whatever carries one of some marks; None where the system offers no way.
        clock: measures the waits.
        log: a logger.
    """

    def __init__(self, scan: Scan | None, clock: IReactorTime, log: Any) -> None:
        self._scan = scan
        self._clock = clock
        self._log = log
        self._marks: set[bytes] = set()
        self._due: IDelayedCall | None = None
        self._scanning = False
        self._next = 0.0
        self._told = False
        self._waiters: list[Deferred[None]] = []

    def ended(self, mark: str) -> None:
        """Have the remains of a server killed soon: it has ended."""
        if self._scan is None:
            self._tell_once()
            return
        self._marks.add(mark.encode())
        self._plan(self._scan)

    async def settled(self) -> None:
        """Wait until nothing is to be looked for, yet not for long."""
        if not (self._marks or self._scanning):
            return
        waiter: Deferred[None] = Deferred(self._waiters.remove)
        self._waiters.append(waiter)
        waiter.addTimeout(INTERVAL + PATIENCE, self._clock)
        try:
            await waiter
        except WaitTimeoutError:
            self._log.error("the search for processes left behind takes too long")

    # Inside

    def _tell_once(self) -> None:
        if not self._told:
            self._told = True
            self._log.info("processes that leave the group of their server cannot be ended on this system")

    def _plan(self, scan: Scan) -> None:
        if self._due is None and not self._scanning:
            wait = max(GRACE, self._next - self._clock.seconds())
            self._due = self._clock.callLater(wait, self._begin, scan)

    def _begin(self, scan: Scan) -> None:
        self._due = None
        self._scanning = True
        self._next = self._clock.seconds() + INTERVAL
        marks, self._marks = frozenset(self._marks), set()
        scanning = maybeDeferred(scan, marks)
        scanning.addCallback(self._report).addErrback(self._failed).addCallback(self._over, scan)

    def _report(self, found: Found) -> None:
        if found.killed:
            self._log.info("killed processes left behind", pids=sorted(found.killed))
        if found.refused:
            self._log.error("processes left behind belong to another user", pids=sorted(found.refused))
        if not found.complete:
            self._log.error("there are too many processes to look for those left behind")

    def _failed(self, failure: Failure) -> None:
        self._log.error("the search for processes left behind failed", traceback=failure.getTraceback())

    def _over(self, _: object, scan: Scan) -> None:
        self._scanning = False
        if self._marks:
            self._plan(scan)
            return
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter.callback(None)


def scanner(reactor: Any) -> Scan | None:
    """Return what scans in a thread of the reactor's, None where the system offers no way."""
    if not _possible():
        return None
    return lambda marks: deferToThreadPool(reactor, reactor.getThreadPool(), kill_marked, marks)


def kill_marked(marks: frozenset[bytes]) -> Found:
    """Kill every process whose environment carries one of some marks; blocks."""
    found = Found(set(), set(), complete=True)
    deadline = time.monotonic() + LONGEST
    for _ in range(ROUNDS):
        killed = len(found.killed)
        for pid in _processes():
            if time.monotonic() > deadline:
                return found._replace(complete=False)
            if _carries(pid, marks):
                _kill(pid, marks, found)
        if len(found.killed) == killed:
            break
    return found


def _possible() -> bool:
    try:
        os.close(os.pidfd_open(os.getpid()))
        os.close(os.open("/proc/self/environ", os.O_RDONLY))
    except (AttributeError, OSError):
        return False
    return hasattr(signal, "pidfd_send_signal")


def _processes() -> list[int]:
    own = os.getpid()
    numbers = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
    return [pid for pid in numbers if pid != own]


def _carries(pid: int, marks: frozenset[bytes]) -> bool:
    """Tell whether a process carries a mark; one that has gone, or is not ours to read, does not."""
    try:
        file = os.open(f"/proc/{pid}/environ", os.O_RDONLY)
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return False
    try:
        text = _text(file)
    except OSError:
        return False
    finally:
        os.close(file)
    return not marks.isdisjoint(_MARK.findall(b"\0" + text + b"\0"))


def _text(file: int) -> bytes:
    text = chunk = os.read(file, CHUNK)
    while len(chunk) == CHUNK and len(text) < LARGEST:
        chunk = os.read(file, CHUNK)
        text += chunk
    return text


def _kill(pid: int, marks: frozenset[bytes], found: Found) -> None:
    """Kill a process, unless its number is meanwhile another's."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return  # it has gone
    try:
        if _carries(pid, marks):
            signal.pidfd_send_signal(process, signal.SIGKILL)
            found.killed.add(pid)
    except ProcessLookupError:
        return  # it has gone
    except PermissionError:
        found.refused.add(pid)
    finally:
        os.close(process)
