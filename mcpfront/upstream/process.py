"""One child process: lines in, lines out, its log drained, its end seen through to the last descriptor."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any, Final, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from mcpfront.errors import MessageTooLarge, ServerExited, UpstreamError
from mcpfront.protocol.framing import LineFramer, LineTooLong
from mcpfront.upstream.lifecycle import Core, make_life
from mcpfront.upstream.pipes import Sink, StderrDrain, StdinQueue

DRAIN: Final = 0.2
"""Seconds for output that arrives with the exit; a process that left the group may hold the pipe for ever."""

STDOUT, STDERR = 1, 2

SignalGroup = Callable[[int, int], None]


class ChildOwner(Protocol):
    """Who talks to a child."""

    def line_received(self, line: bytes) -> None:
        """Take a line of its output."""

    def child_broken(self, error: UpstreamError) -> None:
        """Learn that the child can be talked to no longer, and why; it is being stopped."""

    def child_exited(self) -> None:
        """Learn that it has ended; lines may still follow."""

    def child_gone(self, error: ServerExited) -> None:
        """Learn that nothing follows any more."""


class Pipe(Protocol):
    """Our end of one of a child's pipes."""

    def startReading(self) -> None:  # noqa: N802
        """Read."""

    def stopReading(self) -> None:  # noqa: N802
        """Leave bytes where they are."""

    def connectionLost(self, reason: Failure) -> None:
        """Close it at once."""


class ProcessTransport(Sink, Protocol):
    """What Twisted's process transport offers to a child."""

    pid: int
    pipes: dict[int, Pipe]

    def closeStdin(self) -> None:  # noqa: N802
        """Close the child's input once everything is written."""

    def signalProcess(self, signalID: str | int) -> None:  # noqa: N802, N803
        """Send a signal to the process itself."""


class Child(ProcessProtocol):
    """Speaks lines with one process and ends it.

    Args:
        name: the server's name.
        owner: takes what the process says and what becomes of it.
        clock: measures the waits.
        log: a logger bound to the server.
        limit: bytes of one line.
        signal_group: sends a signal to a process group.
    """

    transport: ProcessTransport  # type: ignore[assignment]

    def __init__(
        self,
        name: str,
        owner: ChildOwner,
        clock: IReactorTime,
        log: Any,
        limit: int,
        signal_group: SignalGroup = os.killpg,
    ) -> None:
        self.name = name
        self.pid = 0
        self._owner = owner
        self._clock = clock
        self._log = log
        self._limit = limit
        self._signal_group = signal_group
        self._life = make_life(Core(self, clock))
        self._framer = LineFramer(limit)
        self._stderr = StderrDrain(clock, log)
        self._how = ""
        self._broken = False
        self._stopping = False
        self._finished = False
        self._drain: IDelayedCall | None = None
        self._waiters: list[Deferred[None]] = []

    def connectionMade(self) -> None:
        """Get ready: the process is started."""
        self.pid = self.transport.pid
        self._stdin = StdinQueue(self.name, self.transport, 2 * self._limit)

    def write_line(self, line: bytes) -> None:
        """Send a line (given without its newline).

        Raises:
            UpstreamError: the process does not read, and what waits for it has reached its bound.
        """
        self._stdin.write(line + b"\n")

    def pause(self) -> None:
        """Stop reading its output; what it writes then waits in the pipe, and so does it."""
        if not self._how:
            self._read(wanted=False)

    def resume(self) -> None:
        """Read on."""
        self._read(wanted=True)

    def stop(self, hurry: bool = False) -> Deferred[None]:
        """End the process; the result fires when it and its descriptors are gone."""
        self._stopping = True
        self._life.stop(hurry)
        return self.when_gone()

    def when_gone(self) -> Deferred[None]:
        """Return a Deferred that fires when the process and its descriptors are gone."""
        waiter: Deferred[None] = Deferred(self._waiters.remove)
        self._waiters.append(waiter)
        if self._finished:
            self._release()
        return waiter

    # What the lifecycle does

    def close_stdin(self) -> None:
        """Let the process see the end of its input."""
        self._stdin.close()
        self.transport.closeStdin()

    def signal_group(self, number: signal.Signals) -> None:
        """Signal the process and everything in its group."""
        try:
            self._signal_group(self._group(), number)
        except ProcessLookupError:
            # right after the start the group does not exist: setsid has yet to run
            self._signal_alone(number)

    def give_up(self) -> None:
        """Let go of a process that even KILL does not end."""
        self._log.error("the process does not end", pid=self.pid)
        self._how = "and could not be ended"
        self._finish()

    # What Twisted tells

    def outReceived(self, data: bytes) -> None:
        """Cut output into lines."""
        if self._broken:
            return
        try:
            lines = self._framer.feed(data)
        except LineTooLong:
            self._break(MessageTooLarge(f"the server '{self.name}' sent a message over {self._limit} bytes"))
            return
        for line in lines:
            self._owner.line_received(line)

    def errReceived(self, data: bytes) -> None:
        """Put what the process logs into the log."""
        self._stderr.feed(data)

    def inConnectionLost(self) -> None:
        """Give up on a process that closed its input while it was wanted."""
        self._await_exit()

    def outConnectionLost(self) -> None:
        """Give up on a process that closed its output while it was wanted."""
        self._await_exit()
        self._finish_if_drained()

    def errConnectionLost(self) -> None:
        """Note that the log has ended."""
        self._finish_if_drained()

    def processExited(self, reason: Failure) -> None:
        """See the end through: the rest of its group, the rest of its output, its descriptors."""
        self._life.exited()
        self._how = describe(reason)
        self._kill_leftovers()
        if self._finished:
            return
        self._log.info("process ended", pid=self.pid, how=self._how, asked=self._stopping)
        self._owner.child_exited()
        self._read(wanted=True)
        self._drain_until(self._finish)
        self._finish_if_drained()

    # Inside

    def _await_exit(self) -> None:
        """Wait for the exit that mostly comes with a closed pipe, else end the process."""
        if not (self._stopping or self._how or self._broken):
            self._drain_until(self._break_closed)

    def _break_closed(self) -> None:
        self._break(UpstreamError(f"the server '{self.name}' closed its connection while it was in use"))

    def _break(self, error: UpstreamError) -> None:
        if self._broken or self._finished or self._how:
            return
        self._broken = True
        self._log.warning("process is unusable", pid=self.pid, reason=error.message)
        self._owner.child_broken(error)
        self._stopping = True
        self._life.stop(hurry=True)

    def _read(self, wanted: bool) -> None:
        pipe = self.transport.pipes.get(STDOUT)
        if pipe is not None:
            (pipe.startReading if wanted else pipe.stopReading)()

    def _drain_until(self, then: Callable[[], None]) -> None:
        self._cancel_drain()
        self._drain = self._clock.callLater(DRAIN, then)

    def _cancel_drain(self) -> None:
        if self._drain is not None and self._drain.active():
            self._drain.cancel()

    def _group(self) -> int:
        if not self.pid:
            raise ProcessLookupError  # zero would be the gateway's own group
        return self.pid

    def _kill_leftovers(self) -> None:
        try:
            self._signal_group(self._group(), signal.SIGKILL)
        except ProcessLookupError:
            return  # the usual case: it left nothing behind
        except PermissionError:
            self._log.error("processes left behind belong to another user", pid=self.pid)

    def _signal_alone(self, number: signal.Signals) -> None:
        try:
            self.transport.signalProcess(number)
        except ProcessExitedAlready:
            return  # it has ended, and the news is on its way

    def _finish_if_drained(self) -> None:
        if self._how and not self.transport.pipes.keys() & {STDOUT, STDERR}:
            self._finish()

    def _finish(self) -> None:
        if self._finished:
            return
        self._finished = True
        self._cancel_drain()
        self._close_pipes()
        self._stderr.close()
        self._owner.child_gone(
            ServerExited(f"the server '{self.name}' ended ({self._how}) before it answered")
        )
        self._release()

    def _close_pipes(self) -> None:
        # loseConnection would wait for unread input to be written, which whoever holds the pipe can prevent
        for pipe in list(self.transport.pipes.values()):
            pipe.connectionLost(Failure(ConnectionDone()))

    def _release(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter.callback(None)


def describe(reason: Failure) -> str:
    """Tell how a process ended: its exit code or its signal."""
    ended = reason.value
    if not isinstance(ended, ProcessTerminated):
        return "exit code 0"
    if ended.signal is None:
        return f"exit code {ended.exitCode}"
    try:
        return f"signal {signal.Signals(ended.signal).name}"
    except ValueError:
        return f"signal {ended.signal}"
