"""The HTTP doors over real sockets."""

from __future__ import annotations

import resource
import socket
import threading
from io import StringIO
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource

from mcpfront.listen.exchange import Exchange
from mcpfront.listen.limits import HttpLimits
from mcpfront.listen.service import ListenerService
from mcpfront.listen.web import GatewaySite
from mcpfront.telemetry.logging import configure
from tests.listen.engine import Listener

GET = b"GET /x/mcp HTTP/1.1\r\nHost: gw\r\n\r\n"
LAST = b"GET /x/mcp HTTP/1.1\r\nHost: gw\r\nConnection: close\r\n\r\n"
LIMITS = HttpLimits(header_timeout=0.5, linger=1.0, stall_timeout=1.0, stream_buffer=1024 * 1024)


class HttpTests(TestCase):
    """A listener on loopback and blocking clients in threads."""

    timeout = 30

    def setUp(self):
        self.log = StringIO()
        configure({}, self.log)
        self.addCleanup(configure, {})
        self.exchanges: list[Exchange] = []
        self.failures: list[str] = []
        self.hold = False
        self.arrived: Deferred[Exchange] = Deferred()
        self.site = GatewaySite(
            self.take,
            Resource(),
            reactor,
            lambda _path, head: (1 << 20 if head.headers(b"authorization") else 1 << 14, None),
            LIMITS,
        )

    def take(self, exchange):
        """Keep an exchange and answer it, unless the test wants to."""
        self.exchanges.append(exchange)
        if not self.hold:
            exchange.respond(200, [], b"answer")
        elif not self.arrived.called:
            self.arrived.callback(exchange)
        return True

    async def listen(self, address="127.0.0.1:0"):
        """Open a port."""
        ready: Deferred[None] = Deferred()
        service = ListenerService(
            address, self.site, reactor, self.failures.append, lambda: ready.callback(None)
        )
        service.startService()
        self.addCleanup(service.stopService)
        await ready
        return service

    def connect(self, port, **options):
        """Open a connection, in a thread."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if "buffer" in options:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, options["buffer"])
        sock.settimeout(10)
        sock.connect(("127.0.0.1", port))
        return sock

    def talk(self, port, *parts):
        """Send parts, then read until the server closes; return what came and how much was sent."""
        sent = 0
        with self.connect(port) as sock:
            for part in parts:
                try:
                    sock.sendall(part)
                except OSError:
                    break
                sent += len(part)
            return read_all(sock), sent

    async def test_request(self):
        """A request is answered and its connection kept, until the client closes it."""
        service = await self.listen()
        answer, _ = await deferToThread(self.talk, service.port, GET, LAST)
        self.assertEqual(answer.count(b"answer"), 2)

    async def test_upload_refused(self):
        """A huge upload is refused while it arrives, the client reads why, and memory stays where it was."""
        service = await self.listen()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        megabyte = bytes(1 << 20)
        head = b"POST /x/mcp HTTP/1.1\r\nHost: gw\r\nContent-Length: %d\r\n\r\n" % (20 << 20)
        answer, _ = await deferToThread(self.talk, service.port, head, *[megabyte] * 20)
        chunk = b"100000\r\n" + megabyte + b"\r\n"
        head = (
            b"POST /x/mcp HTTP/1.1\r\nHost: gw\r\n"
            b"Authorization: Bearer x\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        chunked, _ = await deferToThread(self.talk, service.port, head, *[chunk] * 20)
        for text in (answer, chunked):
            self.assertIn(b"413 Content Too Large", text)
            self.assertIn(b'"content_too_large"', text)
        self.assertEqual(self.exchanges, [])
        self.assertLess(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, 24 * 1024)

    async def test_slow_head(self):
        """A client that drips its head is told 408 and disconnected in time."""
        service = await self.listen()

        def drip():
            with self.connect(service.port) as sock:
                for byte in GET[:-4]:
                    try:
                        sock.send(bytes([byte]))
                    except OSError:
                        break
                    threading.Event().wait(0.05)
                return read_all(sock)

        self.assertIn(b"408 Request Timeout", await deferToThread(drip))
        self.assertEqual(self.exchanges, [])

    async def test_gone(self):
        """A client that goes away is told of at once, while nothing is being written."""
        self.hold = True
        service = await self.listen()
        sock = await deferToThread(self.connect, service.port)
        sock.sendall(GET)
        exchange = await self.arrived
        left: Deferred[None] = Deferred()
        exchange.when_gone(lambda: left.callback(None))
        sock.close()
        await left
        self.assertTrue(exchange.gone)

    async def test_slow_reader(self):
        """A stream to a client that stops reading pauses, and goes on when it reads again."""
        self.hold = True
        service = await self.listen()
        sock = await deferToThread(self.connect, service.port, buffer=8192)
        self.addCleanup(sock.close)
        sock.sendall(GET)
        listener = Listener()
        stream = (await self.arrived).stream(200, [], listener)
        written = 0
        while "paused" not in listener.told and written < 100 << 20:
            stream.write(bytes(65536))
            written += 65536
            await pause(0)
        self.assertEqual(listener.told, ["paused"])
        reading = deferToThread(read_some, sock, written)
        while "resumed" not in listener.told:
            await pause(0.01)
        stream.finish()
        await reading

    async def test_reads_nothing(self):
        """A client that reads nothing at all is dropped, and its stream's writer is told."""
        self.hold = True
        service = await self.listen()
        sock = await deferToThread(self.connect, service.port, buffer=8192)
        self.addCleanup(sock.close)
        sock.sendall(GET)
        listener = Listener()
        stream = (await self.arrived).stream(200, [], listener)
        stream.write(bytes(32 << 20))
        while "gone" not in listener.told:
            await pause(0.05)
        self.assertEqual(listener.told, ["paused", "gone"])
        self.assertEqual(self.site.connections, 0)

    async def test_port_in_use(self):
        """A second listener on the same port fails with one clear line."""
        service = await self.listen()
        ListenerService(f"127.0.0.1:{service.port}", self.site, reactor, self.failures.append).startService()
        self.assertEqual(len(self.failures), 1)
        self.assertIn("already in use", self.failures[0])

    async def test_unix_socket(self):
        """A socket file serves like a port."""
        path = self.mktemp()
        await self.listen(f"unix:{path}")

        def talk():
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
                sock.settimeout(10)
                sock.connect(path)
                sock.sendall(LAST)
                return read_all(sock)

        self.assertIn(b"answer", await deferToThread(talk))

    async def test_every_address(self):
        """A port without a host is open on IPv4."""
        service = await self.listen(":0")
        answer, _ = await deferToThread(self.talk, service.port, LAST)
        self.assertIn(b"answer", answer)
        self.assertEqual(self.exchanges[0].peer.host, "127.0.0.1")

    async def test_stop(self):
        """Stopping closes idle connections in order, drops the others, and leaves no descriptor."""
        self.hold = True
        before = sockets()
        service = await self.listen()
        socks = [await deferToThread(self.connect, service.port) for _ in range(20)]
        socks[0].sendall(GET)
        await self.arrived
        await service.stop_accepting()
        service.close_idle()
        self.assertEqual(await deferToThread(socks[1].recv, 10), b"")
        while self.site.connections > 1:
            await pause(0.01)
        service.close_all()
        while self.site.connections:
            await pause(0.01)
        for sock in socks:
            sock.close()
        self.assertEqual(sockets(), before)


def sockets():
    """Count the open sockets of this process."""
    return sum(link.is_socket() for link in Path("/proc/self/fd").iterdir())


def pause(seconds):
    """Let the reactor run for a while."""
    done: Deferred[None] = Deferred()
    reactor.callLater(seconds, done.callback, None)
    return done


def read_all(sock):
    """Read until the server closes or nothing more comes."""
    parts = []
    try:
        while part := sock.recv(65536):
            parts.append(part)
    except OSError:
        pass
    return b"".join(parts)


def read_some(sock, size):
    """Read at least so many bytes."""
    while size > 0 and (part := sock.recv(1 << 20)):
        size -= len(part)
