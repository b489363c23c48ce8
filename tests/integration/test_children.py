"""Real child processes that behave in every bad way: the answer is clear, and nothing of them is left."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import structlog
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

import mcpfront
from mcpfront.authn.base import Principal
from mcpfront.config.reference import Template
from mcpfront.errors import (
    CallTimeout,
    HandshakeFailed,
    HandshakeRefused,
    MessageTooLarge,
    ServerExited,
    UpstreamError,
)
from mcpfront.protocol.jsonrpc import Message, parse
from mcpfront.upstream.budget import SpawnBudget
from mcpfront.upstream.connection import StdioConnection
from mcpfront.upstream.stdio import StdioUpstream
from mcpfront.upstream.stragglers import Stragglers, scanner
from tests.upstream.settings import PARAMS, Limits, Settings

ADA = Principal("ada", "basic")
BEN = Principal("ben", "basic")
ROOT = str(Path(mcpfront.__file__).parent.parent)
ALL = (
    b'{"protocolVersion":"2025-11-25","capabilities":{"roots":{},"sampling":{},"elicitation":{}},'
    b'"clientInfo":{"name":"test","version":"1"}}'
)


def tool(name: str, id: str = "1", **arguments: Any) -> Message:
    """Make a call of a tool of the test server."""
    params = {"name": name, "arguments": arguments}
    return parse(json.dumps({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}).encode())


def text_of(answer: bytes) -> str:
    """Return the text of a tool's result."""
    return str(json.loads(answer)["result"]["content"][0]["text"])


def ignore(_: Message) -> None:
    """Take a message and do nothing."""


def sleep(seconds: float) -> Deferred[None]:
    """Wait in real time."""
    return deferLater(reactor, seconds)


def marked(mark: str) -> list[int]:
    """Return the live processes whose environment holds a mark."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and mark.encode() in (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def descriptors() -> set[str]:
    """Return what every open descriptor of this process points to."""
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found.add(f"{entry.name} {entry.readlink()}")
        except OSError:
            continue
    return found


class Children(TestCase):
    """What every case needs: an upstream, and proof that nothing is left of its processes."""

    timeout = 60

    async def setUp(self) -> None:
        """Note what is open before."""
        self.mark = uuid4().hex
        self.capture = structlog.testing.LogCapture()
        self.log = structlog.wrap_logger(None, processors=[self.capture])
        self.ups: list[StdioUpstream] = []
        self.stragglers = Stragglers(scanner(reactor), reactor, self.log)
        await sleep(0)  # the running reactor has descriptors of its own
        self.before = descriptors()

    async def tearDown(self) -> None:
        """See that neither a process nor a descriptor is left."""
        started = reactor.seconds()
        await DeferredList([Deferred.fromCoroutine(up.close()) for up in self.ups], fireOnOneErrback=True)
        self.assertLess(reactor.seconds() - started, 2.0)
        await self.until(lambda: descriptors() <= self.before)
        left = marked(self.mark)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        self.assertEqual(left, [])

    async def until(self, condition: Callable[[], bool], seconds: float = 5.0) -> None:
        """Wait until something is so."""
        end = reactor.seconds() + seconds
        while not condition():
            self.assertLess(reactor.seconds(), end, "it did not become so in time")
            await sleep(0.02)

    def upstream(self, mode: str, **settings: Any) -> StdioUpstream:
        """Make an upstream of a server in one of its modes."""
        args = [Template(arg) for arg in ("-m", "mcpfront.testing.hostile", mode)]
        env = {"MARK": Template(self.mark), "PYTHONPATH": Template(ROOT)}
        made = Settings(command=sys.executable, args=args, env=env, **settings)
        budget = SpawnBudget(50)
        up = StdioUpstream(made, reactor, reactor, os.environ, self.log, Limits(), budget, self.stragglers)
        self.ups.append(up)
        return up

    async def connect(self, mode: str, params: bytes = PARAMS, **settings: Any) -> StdioConnection:
        """Open a conversation with a server in one of its modes."""
        connection = await self.upstream(mode, **settings).open(ADA, params)
        connection.listen(ignore)
        return connection

    def said(self, event: str) -> list[dict[str, Any]]:
        """Return the log lines of an event."""
        return [dict(entry) for entry in self.capture.entries if entry["event"] == event]


class Good(Children):
    """A server that behaves."""

    async def test_bytes_untouched(self) -> None:
        """A request reaches the server byte for byte, except its id."""
        connection = await self.connect("good")
        raw = (
            b'{"jsonrpc":"2.0","id":"a","method":"tools/call","params":'
            b'{"name":"echo","x":123456789012345678901234567890,"$defs":{"\\u00e9":1.10}}}'
        )
        answer = await connection.request(parse(raw), ignore)
        self.assertEqual(json.loads(answer)["id"], "a")
        self.assertEqual(text_of(answer).encode(), raw.replace(b'"a"', b"2", 1))

    async def test_surroundings(self) -> None:
        """A server runs in its directory, session and group, with the allowed environment only."""
        os.environ["GATEWAY_SECRET"] = "s3cret"
        self.addCleanup(os.environ.pop, "GATEWAY_SECRET")
        connection = await self.connect("good", cwd="/usr")
        found = json.loads(text_of(await connection.request(tool("surroundings"), ignore)))
        self.assertEqual(found["cwd"], "/usr")
        self.assertEqual((found["sid"], found["pgid"]), (found["pid"], found["pid"]))
        self.assertNotIn("GATEWAY_SECRET", found["env"])
        self.assertEqual(found["env"]["MARK"], self.mark)

    async def test_close_ends_process(self) -> None:
        """Closing a session's connection ends its process and waits for that."""
        connection = await self.connect("good")
        self.assertNotEqual(marked(self.mark), [])
        await connection.close()
        self.assertEqual(marked(self.mark), [])

    async def test_restart(self) -> None:
        """A killed server fails its calls at once, and the next request starts another one."""
        connection = await self.connect("good")
        connection.notify(parse(b'{"jsonrpc":"2.0","method":"notifications/initialized"}'))
        level = b'{"jsonrpc":"2.0","id":1,"method":"logging/setLevel","params":{"level":"debug"}}'
        await connection.request(parse(level), ignore)
        calling = Deferred.fromCoroutine(connection.request(tool("slow", seconds=30), ignore))
        os.kill(marked(self.mark)[0], signal.SIGKILL)
        error = await self.failing(calling, ServerExited)
        self.assertIn("SIGKILL", str(error))
        seen = json.loads(text_of(await connection.request(tool("seen"), ignore)))
        self.assertEqual(
            [json.loads(line)["method"] for line in seen],
            ["initialize", "notifications/initialized", "logging/setLevel", "tools/call"],
        )

    async def failing(self, calling: Deferred[bytes], error: type[Exception]) -> Exception:
        """Return the error by which a call fails."""
        return await self.assertFailure(calling, error)

    async def test_last_words(self) -> None:
        """An answer that a server gives with its exit is delivered."""
        connection = await self.connect("good")
        self.assertEqual(text_of(await connection.request(tool("last_words"), ignore)), "goodbye")

    async def test_server_asks(self) -> None:
        """A request of the server reaches the client in its call, and the answer reaches the server."""
        connection = await self.connect("good", ALL)

        def answer(message: Message) -> None:
            raw = b'{"jsonrpc":"2.0","id":' + (message.id or b"") + b',"result":{"roots":[],"n":1e400}}'
            connection.respond(parse(raw))

        asked = await connection.request(tool("asking", method="roots/list"), answer)
        self.assertEqual(text_of(asked), '{"jsonrpc":"2.0","id":"ask-2","result":{"roots":[],"n":1e400}}')

    async def test_warm(self) -> None:
        """A spare serves the next session, and another spare takes its place."""
        up = self.upstream("good", warm=1)
        up.start()
        await self.until(lambda: bool(up._pool._ready))
        spare = up._pool._ready[0].runner.current.child.pid
        connection = await up.open(ADA, PARAMS)
        self.assertEqual(json.loads(connection.result)["serverInfo"]["pid"], spare)
        await self.until(lambda: bool(up._pool._ready))

    async def test_shared(self) -> None:
        """Two users of a shared server reach one process, and each gets the answer to its own call."""
        up = self.upstream("good", isolation="shared")
        ada, ben = await up.open(ADA, PARAMS), await up.open(BEN, PARAMS)
        one = Deferred.fromCoroutine(ada.request(tool("slow", id="same", seconds=0.1), ignore))
        two = Deferred.fromCoroutine(ben.request(tool("surroundings", id="same"), ignore))
        self.assertEqual(text_of(await one), "done")
        self.assertIn("pid", json.loads(text_of(await two)))
        self.assertEqual(len(marked(self.mark)), 1)


class Bad(Children):
    """Servers that misbehave."""

    async def fails(
        self, connection: StdioConnection, error: type[Exception], name: str = "echo"
    ) -> Exception:
        """Call a tool and return the error by which it fails."""
        calling = Deferred.fromCoroutine(connection.request(tool(name), ignore))
        return await self.assertFailure(calling, error)

    async def refused(self, mode: str, error: type[Exception], **settings: Any) -> Exception:
        """Connect and return the error by which that fails."""
        return await self.assertFailure(Deferred.fromCoroutine(self.connect(mode, **settings)), error)

    async def test_flood_stdout(self) -> None:
        """A server that floods its output is still answered and ended; what nobody takes is dropped."""
        connection = await self.connect("flood-stdout")
        connection.notify(parse(b'{"jsonrpc":"2.0","method":"notifications/initialized"}'))
        await connection.request(tool("echo"), ignore)
        connection.pause()
        await sleep(0.1)
        await connection.close()

    async def test_flood_stderr(self) -> None:
        """A server that floods its log works, and the log takes no more than its share."""
        connection = await self.connect("flood-stderr")
        await sleep(0.3)
        await connection.request(tool("echo"), ignore)
        lines = self.said("stderr")
        self.assertLessEqual(len(lines), 300)
        self.assertLessEqual(max(len(line["line"]) for line in lines), 2048)

    async def test_garbage(self) -> None:
        """Lines that are no messages are dropped, and the log does not tell what they said."""
        connection = await self.connect("garbage")
        await connection.request(tool("echo"), ignore)
        warned = self.said("dropped a message of the server")
        self.assertTrue(warned)
        self.assertNotIn("Welcome", str(warned))

    async def test_twice(self) -> None:
        """A second answer to the same call is dropped."""
        connection = await self.connect("twice")
        for _ in range(3):
            await connection.request(tool("echo"), ignore)
        self.assertTrue(self.said("dropped a message of the server"))

    async def test_unknown_id(self) -> None:
        """An answer to nothing is dropped."""
        connection = await self.connect("unknown-id")
        answer = await connection.request(tool("echo", id="mine"), ignore)
        self.assertEqual(json.loads(answer)["id"], "mine")

    async def test_stubborn(self) -> None:
        """A server that ignores the end of input and TERM is killed."""
        connection = await self.connect("stubborn")
        await connection.request(tool("echo"), ignore)

    async def test_exit_at_once(self) -> None:
        """A server that ends at once fails the handshake with its exit code."""
        error = await self.refused("exit-at-once", HandshakeFailed)
        self.assertIn("exit code 7", str(error))

    async def test_never_initialize(self) -> None:
        """A server that does not answer the handshake fails it at the deadline."""
        error = await self.refused("never-initialize", HandshakeFailed, handshake_timeout=0.5)
        self.assertIn("0.5 seconds", str(error))

    async def test_refuses(self) -> None:
        """A server's own refusal of the handshake is kept as it was written."""
        error = await self.refused("refuses", HandshakeRefused)
        self.assertIn(b"-32042", error.error)

    async def test_deaf(self) -> None:
        """A server that reads nothing fails calls over the bound at once, the others at their deadline."""
        connection = await self.connect("deaf", timeout=1.0)
        big = tool("echo", padding="x" * 900_000)
        calls = [Deferred.fromCoroutine(connection.request(big, ignore)) for _ in range(6)]
        outcomes = [type(result.value) for _, result in await DeferredList(calls, consumeErrors=True)]
        self.assertEqual(set(outcomes), {UpstreamError, CallTimeout})

    async def test_huge_line(self) -> None:
        """A message over the limit fails the call, and the server is ended."""
        connection = await self.connect("huge-line")
        error = await self.fails(connection, MessageTooLarge)
        self.assertIn("1048576 bytes", str(error))

    async def test_half_surrogates(self) -> None:
        """Text cut inside a surrogate pair is mended instead of failing the call."""
        connection = await self.connect("half-surrogates")
        self.assertEqual(text_of(await connection.request(tool("echo"), ignore)), "cut \ufffd")

    async def test_closes_stdout(self) -> None:
        """A server that closes its output fails its calls and is ended."""
        connection = await self.connect("closes-stdout")
        error = await self.fails(connection, UpstreamError)
        self.assertIn("closed its connection", str(error))

    async def test_slow(self) -> None:
        """A call that takes too long fails at its deadline, and its late answer is dropped without a word."""
        connection = await self.connect("good", timeout=0.3)
        calling = Deferred.fromCoroutine(connection.request(tool("slow", seconds=0.5), ignore))
        await self.assertFailure(calling, CallTimeout)
        await sleep(0.4)
        self.assertEqual(self.said("dropped a message of the server"), [])

    async def test_asks(self) -> None:
        """Requests of a server outside any call reach whoever listens, under ids of the connection."""
        connection = await self.upstream("asks").open(ADA, ALL)
        heard: list[Message] = []
        await connection.request(tool("echo"), heard.append)
        connection.listen(heard.append)
        await self.until(lambda: len(heard) == 4)
        self.assertEqual(sorted(message.id for message in heard), [b"1", b"2", b"3", b"4"])

    async def test_command_not_found(self) -> None:
        """A command that is not there fails with its name and without its arguments."""
        up = StdioUpstream(
            Settings(command="no-such-program", args=[Template("--key=s3cret")]),
            reactor,
            reactor,
            os.environ,
            self.log,
            Limits(),
            SpawnBudget(1),
            self.stragglers,
        )
        error = await self.assertFailure(Deferred.fromCoroutine(up.open(ADA, PARAMS)), HandshakeFailed)
        self.assertIn("no-such-program", str(error))
        self.assertNotIn("s3cret", str(error))


class Grandchildren(Children):
    """A server whose own children hold its pipes, one of them in a session of its own."""

    async def test_session_ends(self) -> None:
        """With a session ends what its server has started, in its group or not, and nothing else."""
        up = self.upstream("grandchildren")
        one = await up.open(ADA, PARAMS)
        await one.request(tool("echo"), ignore)
        await self.until(lambda: len(marked(self.mark)) == 3)
        first = set(marked(self.mark))
        other = await up.open(BEN, PARAMS)
        await other.request(tool("echo"), ignore)
        await self.until(lambda: len(marked(self.mark)) == 6)
        second = set(marked(self.mark)) - first
        await one.close()
        await self.until(lambda: first.isdisjoint(marked(self.mark)))
        await self.stragglers.settled()
        self.assertEqual(set(marked(self.mark)), second)
        await other.request(tool("echo"), ignore)
        self.assertEqual(len(self.said("killed processes left behind")), 1)

    async def test_upstream_closes(self) -> None:
        """When the server is shut down what left its group is gone before that is over."""
        connection = await self.connect("grandchildren")
        await connection.request(tool("echo"), ignore)
        await self.until(lambda: len(marked(self.mark)) == 3)
        started = reactor.seconds()
        await self.ups[0].close()
        self.assertLess(reactor.seconds() - started, 2.0)
        (told,) = self.said("killed processes left behind")
        self.assertEqual(len(told["pids"]), 1)
        await self.until(lambda: marked(self.mark) == [])

    async def test_daemons(self) -> None:
        """Daemons that are nobody's children end too, also one that was started while the server ended."""
        connection = await self.connect("daemons")
        await self.until(lambda: len(marked(self.mark)) == 2)
        await connection.close()
        await self.stragglers.settled()
        (told,) = self.said("killed processes left behind")
        self.assertEqual(len(told["pids"]), 2)
        await self.until(lambda: marked(self.mark) == [])

    async def test_server_lives(self) -> None:
        """What left the group of a server lives as long as the server does, whatever else ends."""
        up = self.upstream("grandchildren", isolation="shared")
        connection = await up.open(ADA, PARAMS)
        await connection.request(tool("echo"), ignore)
        await self.until(lambda: len(marked(self.mark)) == 3)
        family = set(marked(self.mark))
        await connection.close()
        other = await self.connect("good")
        await other.close()
        await self.stragglers.settled()
        self.assertEqual(set(marked(self.mark)), family)


GATEWAY = """
import os, sys, structlog
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from tests.integration.test_children import ADA, PARAMS, Template
from tests.integration.test_children import Limits, Settings, SpawnBudget, StdioUpstream, Stragglers
args = [Template(a) for a in ("-m", "mcpfront.testing.hostile", "stubborn")]
env = {"MARK": Template(sys.argv[1]), "PYTHONPATH": Template(sys.argv[2])}
log = structlog.wrap_logger(None, processors=[lambda *_: (_ for _ in ()).throw(structlog.DropEvent)])
server = Settings(args=args, env=env)
stragglers = Stragglers(None, reactor, log)
up = StdioUpstream(server, reactor, reactor, os.environ, log, Limits(), SpawnBudget(0), stragglers)
reactor.callWhenRunning(lambda: Deferred.fromCoroutine(up.open(ADA, PARAMS)))
reactor.run()
"""


class Orphans(Children):
    """A gateway that is killed."""

    async def test_gateway_killed(self) -> None:
        """When the gateway is killed its processes end with it."""
        ended: Deferred[Any] = Deferred()
        protocol = ProcessProtocol()
        protocol.processEnded = lambda _: ended.callback(None)  # type: ignore[method-assign]
        command = [sys.executable, "-c", GATEWAY, self.mark, ROOT]
        gateway = reactor.spawnProcess(protocol, command[0], command, env={"PYTHONPATH": ROOT})
        await self.until(lambda: len(marked(self.mark)) == 1, seconds=20)
        gateway.signalProcess("KILL")
        await ended
        await self.until(lambda: marked(self.mark) == [])


class Crowd(Children):
    """Many sessions at once."""

    async def test_opened_and_dropped(self) -> None:
        """Sessions opened and closed in numbers leave nothing behind."""
        up = self.upstream("good", isolation="session")
        for _ in range(3):
            opening = [Deferred.fromCoroutine(up.open(ADA, PARAMS)) for _ in range(10)]
            sessions = [session for _, session in await DeferredList(opening, fireOnOneErrback=True)]
            closing = [Deferred.fromCoroutine(session.close()) for session in sessions]
            await DeferredList(closing, fireOnOneErrback=True)
        self.assertEqual((up._hubs, dict(up._seats._taken)), (set(), {}))

    async def test_opened_and_killed(self) -> None:
        """Sessions whose processes are killed under load leave nothing, and each call is answered."""
        up = self.upstream("good")
        ada = [await up.open(ADA, PARAMS) for _ in range(8)]
        calls = [Deferred.fromCoroutine(one.request(tool("slow", seconds=20), ignore)) for one in ada]
        for pid in marked(self.mark):
            os.kill(pid, signal.SIGKILL)
        outcomes = await DeferredList(calls, consumeErrors=True)
        self.assertEqual({type(result.value) for _, result in outcomes}, {ServerExited})
