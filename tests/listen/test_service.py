"""The listener: opens its port or says why not, and closes."""

import errno
from io import StringIO

from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError, DNSLookupError
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource

from mcpfront.listen.service import ListenerService
from mcpfront.listen.web import GatewaySite
from mcpfront.telemetry.logging import configure


class Reactor(MemoryReactorClock):
    """A reactor in memory that can refuse to listen and to resolve."""

    def __init__(self):
        super().__init__()
        self.refusals = []
        self.names = {}

    def listenTCP(self, port, factory, backlog=50, interface=""):
        """Listen, or refuse with the next error."""
        if self.refusals and (number := self.refusals.pop(0)):
            raise CannotListenError(interface, port, OSError(number, "refused"))
        return super().listenTCP(port, factory, backlog, interface)

    def resolve(self, name, timeout=None):
        """Resolve a name that the test knows, leave it open for None."""
        found = self.names.get(name, Failure(DNSLookupError("no such name")))
        done = Deferred()
        if isinstance(found, Failure):
            done.errback(found)
        elif found is not None:
            done.callback(found)
        return done


class ListenerTests(SynchronousTestCase):
    """A listener on a reactor in memory."""

    def setUp(self):
        self.log = StringIO()
        configure({}, self.log)
        self.addCleanup(configure, {})
        self.reactor = Reactor()
        self.failures = []
        self.listening = []

    def start(self, address):
        """Start a listener."""
        site = GatewaySite(lambda _exchange: False, Resource(), self.reactor, lambda _path, _head: (0, None))
        service = ListenerService(
            address, site, self.reactor, self.failures.append, lambda: self.listening.append(service.port)
        )
        service.startService()
        return service

    def where(self):
        """Return interface and port of every listener."""
        return [(server[3], server[0]) for server in self.reactor.tcpServers]

    def test_addresses(self):
        """Each form of address listens where it says."""
        for address, where in (
            ("127.0.0.1:8080", ("127.0.0.1", 8080)),
            ("localhost:81", ("127.0.0.1", 81)),
            ("[::1]:82", ("::1", 82)),
            (":83", ("::", 83)),
            ("127.0.0.2:", ("127.0.0.2", 0)),
            ("tcp:85:interface=127.0.0.1", ("127.0.0.1", 85)),
        ):
            service = self.start(address)
            self.assertEqual(self.where()[-1], where)
            self.assertEqual(self.listening[-1], service.port)
        self.assertEqual(self.failures, [])
        self.assertIn("msg=listening", self.log.getvalue())

    def test_name(self):
        """A host name is resolved first."""
        self.reactor.names["gw.internal"] = "10.0.0.7"
        self.start("gw.internal:80")
        self.assertEqual(self.where(), [("10.0.0.7", 80)])

    def test_unix(self):
        """A path listens on a socket file, which has no port."""
        service = self.start("unix:/run/mcpfront.sock")
        self.assertEqual((len(self.reactor.unixServers), service.port), (1, 0))

    def test_without_ipv6(self):
        """A machine without IPv6 listens on every IPv4 address."""
        self.reactor.refusals = [errno.EAFNOSUPPORT]
        self.start(":8080")
        self.assertEqual(self.where(), [("", 8080)])

    def test_failures(self):
        """A port that cannot be opened is told of in one line that says why and how to mend it."""
        for address, number, words in (
            ("127.0.0.1:80", errno.EADDRINUSE, "already in use"),
            (":80", errno.EADDRINUSE, "already in use"),
            ("127.0.0.1:80", errno.EACCES, "permission denied"),
            ("10.9.9.9:80", errno.EADDRNOTAVAIL, "does not have"),
            ("127.0.0.1:80", errno.EMFILE, "refused"),
            ("8080", 0, "not a listen address"),
            ("nosuch:80", 0, "no such name"),
            ("tcp:port=x", 0, "not an endpoint description"),
            ("systemd:domain=INET:name=nosuch", 0, "not an endpoint description"),
        ):
            self.reactor.refusals = [number]
            self.start(address)
            self.assertIn(f"cannot listen on {address}: ", self.failures[-1])
            self.assertIn(words, self.failures[-1])
            self.assertNotIn("\n", self.failures[-1])
        self.assertEqual(self.listening, [])

    def test_stop(self):
        """Stopping closes the port; starting it privileged and then plainly opens one port only."""
        service = self.start("127.0.0.1:80")
        service.privilegedStartService()
        self.assertEqual(len(self.where()), 1)
        self.successResultOf(service.stopService())
        self.assertEqual(self.failures, [])

    def test_stop_while_resolving(self):
        """Stopping before the name is resolved is no failure."""
        self.reactor.names["slow"] = None
        service = self.start("slow:80")
        self.successResultOf(service.stopService())
        self.assertEqual((self.failures, self.where()), ([], []))

    def test_failed_stop(self):
        """A listener that never listened stops without a word."""
        self.successResultOf(self.start("8080").stopService())
