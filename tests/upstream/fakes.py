"""Processes in memory: what starts them, what they say, how they end."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from typing import Any

import structlog
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from mcpfront.authn.base import ANONYMOUS, Principal
from mcpfront.protocol.jsonrpc import Message, parse
from mcpfront.upstream.budget import SpawnBudget
from mcpfront.upstream.connection import StdioConnection
from mcpfront.upstream.stdio import StdioUpstream
from mcpfront.upstream.stragglers import Found, Stragglers
from tests.upstream.settings import PARAMS, Limits, Settings

ADA = Principal("ada", "basic")
BEN = Principal("ben", "basic")
NOBODY = ANONYMOUS


class FakePipe:
    """Our end of one pipe."""

    def __init__(self, process: FakeProcess, number: int) -> None:
        self.process = process
        self.number = number
        self.reading = True

    def startReading(self) -> None:
        """Read."""
        self.reading = True

    def stopReading(self) -> None:
        """Read no more."""
        self.reading = False

    def connectionLost(self, reason: Failure) -> None:
        """Close."""
        del self.process.pipes[self.number]
        self.process.protocol.childConnectionLost(self.number)


class FakeProcess:
    """A process, seen from both sides.

    Attributes:
        lines: what it was sent.
        signals: what its group was signalled.
        obeys: whether it ends at the end of its input.
        serves: answers what it is sent, None to stay silent.
    """

    def __init__(
        self, reactor: FakeReactor, protocol: Any, argv: list[str], env: dict[str, str], pid: int
    ) -> None:
        self.reactor = reactor
        self.protocol = protocol
        self.argv = argv
        self.env = env
        self.pid = pid
        self.pipes = {number: FakePipe(self, number) for number in (0, 1, 2)}
        self.lines: list[bytes] = []
        self.signals: list[int] = []
        self.obeys = True
        self.serves: Callable[[FakeProcess, dict[str, Any]], None] | None = polite
        self.alive = True
        self.producer: Any = None
        protocol.makeConnection(self)

    # Twisted's side

    def write(self, data: bytes) -> None:
        """Take what the gateway writes."""
        for line in data.splitlines():
            self.lines.append(line)
            if self.serves is not None:
                self.reactor.callLater(0, self.serve, json.loads(line))

    def serve(self, message: dict[str, Any]) -> None:
        """Answer what the gateway wrote."""
        if self.alive and self.serves is not None:
            self.serves(self, message)

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Note whom to pause."""
        self.producer = producer

    def unregisterProducer(self) -> None:
        """Note that nobody is to be paused."""
        self.producer = None

    def closeStdin(self) -> None:
        """See the end of the input."""
        if self.obeys:
            self.reactor.callLater(0, self.exit)

    def signalProcess(self, number: int) -> None:
        """Be signalled alone."""
        self.signals.append(number)

    # The process's side

    def say(self, **members: Any) -> None:
        """Send a message."""
        self.say_raw(json.dumps({"jsonrpc": "2.0", **members}).encode())

    def say_raw(self, line: bytes) -> None:
        """Send a line."""
        self.protocol.childDataReceived(1, line + b"\n")

    def exit(self, code: int = 0, killed_by: int | None = None, holds: tuple[int, ...] = ()) -> None:
        """End, and close the pipes but those that somebody else holds."""
        if not self.alive:
            return
        self.alive = False
        status = ProcessTerminated(code or None, killed_by) if code or killed_by else ProcessDone(0)
        self.protocol.processExited(Failure(status))
        for number in [n for n in self.pipes if n not in holds]:
            if number in self.pipes:
                self.pipes[number].connectionLost(Failure(ProcessDone(0)))

    # For assertions

    @property
    def messages(self) -> list[dict[str, Any]]:
        """What it was sent, parsed."""
        return [json.loads(line) for line in self.lines]

    @property
    def methods(self) -> list[str]:
        """The methods of what it was sent, responses as empty."""
        return [message.get("method", "") for message in self.messages]


class FakeReactor(Clock):
    """A clock that starts processes."""

    def __init__(self) -> None:
        super().__init__()
        self.processes: list[FakeProcess] = []
        self.prepare: Callable[[FakeProcess], None] = lambda _: None

    def spawnProcess(self, protocol: Any, executable: str, args: list[str], env: dict[str, str]) -> Any:
        """Start a process."""
        process = FakeProcess(self, protocol, args, env, 1000 + len(self.processes))
        self.processes.append(process)
        self.prepare(process)
        return process

    def signal_group(self, pid: int, number: int) -> None:
        """Signal a process."""
        process = self.processes[pid - 1000]
        if not process.alive:
            raise ProcessLookupError
        process.signals.append(number)
        if number == signal.SIGKILL:
            self.callLater(0, process.exit, 0, int(signal.SIGKILL))


def polite(process: FakeProcess, message: dict[str, Any]) -> None:
    """Complete the handshake and leave the rest to the test."""
    if message.get("method") == "initialize":
        result = {"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {"pid": process.pid}}
        process.say(id=message["id"], result=result)


def silent(process: FakeProcess) -> None:
    """Let a process say nothing."""
    process.serves = None


def request(method: str = "tools/call", id: Any = 1, **params: Any) -> Message:
    """Make a client's request."""
    return parse(json.dumps({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).encode())


def notification(method: str, **params: Any) -> Message:
    """Make a client's notification."""
    return parse(json.dumps({"jsonrpc": "2.0", "method": method, "params": params}).encode())


class UpstreamCase(SynchronousTestCase):
    """An upstream over processes in memory; nothing may be left of it."""

    def setUp(self) -> None:
        """Start the clock."""
        self.reactor = FakeReactor()
        self.reactor.advance(1000)
        self.capture = structlog.testing.LogCapture()
        self.log = structlog.wrap_logger(None, processors=[self.capture])
        self.ups: list[StdioUpstream] = []
        self.scans: list[frozenset[bytes]] = []
        self.stragglers = Stragglers(self.scan, self.reactor, self.log)
        self.begun: list[Deferred[Any]] = []

    def tearDown(self) -> None:
        """Close everything; see that no process and no timer is left."""
        for begun in self.begun:
            begun.addErrback(lambda _: None)
        for up in self.ups:
            closing = Deferred.fromCoroutine(up.close())
            self.reactor.pump([0.1] * 30)
            self.successResultOf(closing)
        self.assertEqual([process.pid for process in self.reactor.processes if process.alive], [])
        self.assertEqual([process.pid for process in self.reactor.processes if process.pipes], [])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def scan(self, marks: frozenset[bytes]) -> Deferred[Found]:
        """Note for whose remains is looked, and find none."""
        self.scans.append(marks)
        return succeed(Found(set(), set(), complete=True))

    def upstream(
        self, budget: SpawnBudget | None = None, max_per_user: int = 10, **settings: Any
    ) -> StdioUpstream:
        """Make an upstream."""
        up = StdioUpstream(
            Settings(**settings),
            self.reactor,
            self.reactor,
            {"PATH": "/usr/bin:/bin"},
            self.log,
            Limits(),
            budget or SpawnBudget(100),
            self.stragglers,
            max_per_user,
            self.reactor.signal_group,
        )
        self.ups.append(up)
        return up

    def opening(
        self, up: StdioUpstream, who: Principal = ADA, params: bytes = PARAMS
    ) -> Deferred[StdioConnection]:
        """Begin to open a conversation."""
        opening = Deferred.fromCoroutine(up.open(who, params))
        self.begun.append(opening)
        self.reactor.advance(0)
        return opening

    def open(self, up: StdioUpstream, who: Principal = ADA, params: bytes = PARAMS) -> StdioConnection:
        """Open a conversation."""
        return self.successResultOf(self.opening(up, who, params))

    def call(
        self, connection: StdioConnection, message: Message, heard: list[Message] | None = None
    ) -> Deferred[bytes]:
        """Begin a call."""
        on_message = (lambda _: None) if heard is None else heard.append
        calling = Deferred.fromCoroutine(connection.request(message, on_message))
        self.begun.append(calling)
        self.reactor.advance(0)
        return calling

    def failure(self, result: Deferred[Any], *errors: type[Exception]) -> str:
        """Return the text of the error by which something failed."""
        return str(self.failureResultOf(result, *errors).value)

    def warned(self, event: str) -> bool:
        """Tell whether a line was logged."""
        return any(entry["event"] == event for entry in self.capture.entries)

    @property
    def last(self) -> FakeProcess:
        """The process started last."""
        return self.reactor.processes[-1]
