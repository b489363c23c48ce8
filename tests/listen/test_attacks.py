"""Tests of heads that are made to be understood differently by two readers, and of bodies without a right."""

from twisted.trial.unittest import SynchronousTestCase

from mcpfront.errors import Unauthorized
from mcpfront.listen.guard import Guard
from mcpfront.listen.memory import Memory
from tests.listen.engine import HEAD, Client, EngineCase

POST = b"POST /x/mcp HTTP/1.1\r\n"


class HeadTests(EngineCase):
    """Heads that another reader on the way might understand differently."""

    def refused(self, data: bytes) -> None:
        """Send a request; it must be answered with 400 and reach nobody."""
        client = self.engine.client()
        answer = client.send(data)
        self.assertTrue(answer.startswith(b"HTTP/1.1 400 "), answer)
        self.assertEqual(self.engine.exchanges, [])
        self.assertTrue(client.closing)

    def test_two_codings(self):
        """A second Transfer-Encoding line is refused: its readers may disagree where the body ends."""
        for second in (b"identity", b"chunked", b""):
            lines = b"Transfer-Encoding: chunked\r\nTransfer-Encoding: " + second + b"\r\n\r\n0\r\n\r\n"
            self.refused(HEAD + lines)

    def test_coding_of_old_version(self):
        """HTTP/1.0 has no Transfer-Encoding."""
        self.refused(b"POST /x/mcp HTTP/1.0\r\nHost: gw\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")

    def test_length_and_coding(self):
        """A body with both a length and a coding is refused."""
        self.refused(HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")

    def test_host_labels(self):
        """A Host with an empty or overlong label is refused before any page sees it."""
        for host in (b"..", b"a..b", b".", b"a" * 64, b"a." * 130 + b"a", b"[" + b":" * 60 + b"]"):
            self.refused(b"GET /health HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")

    def test_host_dot(self):
        """A Host with one dot at its end is a name in full."""
        self.engine.client().send(POST + b"Host: gw.example.:80\r\nContent-Length: 0\r\n\r\n")
        self.assertEqual(len(self.engine.exchanges), 1)


class CredentialTests(EngineCase):
    """Bodies of callers who have shown something that proves nothing."""

    def test_early_refusal(self):
        """A large body with a bad credential gets the challenge, not a size, and is not kept."""
        engine = self.engine
        engine.refusal = Unauthorized("not valid", headers=((b"WWW-Authenticate", b"Bearer"),))
        answer = engine.client().send(HEAD + b"Content-Length: 1001\r\n\r\n")
        self.assertTrue(answer.startswith(b"HTTP/1.1 401 Unauthorized\r\n"), answer)
        self.assertIn(b"\r\nWWW-Authenticate: Bearer\r\n", answer)
        self.assertIn(b'{"error":"unauthorized","message":"not valid"}', answer)
        self.assertEqual(engine.exchanges, [])


class MemoryTests(EngineCase):
    """Many connections that are each within their bounds."""

    def bound(self, bodies: int, unread: int) -> None:
        """Set the bounds of all connections together."""
        self.engine.site.memory = Memory(bodies, unread)

    def kept(self) -> tuple[int, int]:
        """Return bytes of bodies and of unread answers."""
        return self.engine.site.memory.kept, self.engine.site.memory.unread

    def test_bodies(self):
        """Bodies that arrive or wait for their answer are bounded together; the next comes later."""
        self.bound(1500, 0)
        self.engine.hold = True
        first = self.engine.client()
        first.send(HEAD + b"Content-Length: 900\r\n\r\n" + b"x" * 900)
        second = self.engine.client()
        answer = second.send(HEAD + b"Content-Length: 900\r\n\r\n" + b"x" * 700)
        self.assertTrue(answer.startswith(b"HTTP/1.1 503 "), answer)
        self.assertIn(b"\r\nRetry-After: 5\r\n", answer)
        self.assertEqual(self.kept(), (900, 0))
        self.engine.exchanges[0].respond(200, [], b"{}")
        self.assertEqual(self.kept(), (0, 0))

    def test_bodies_of_clients_that_leave(self):
        """A body is forgotten with its connection, complete or not, and when it is refused."""
        self.engine.hold = True
        for size in (900, 200):
            client = self.engine.client()
            client.send(HEAD + b"Content-Length: 900\r\n\r\n" + b"x" * size)
            self.assertEqual(self.kept(), (size, 0))
            client.leave()
            self.assertEqual(self.kept(), (0, 0))
        client = self.engine.client()
        client.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *[b"64\r\n" + b"x" * 100 + b"\r\n"] * 11)
        self.assertEqual(self.kept(), (0, 0))

    def unread(self, size: int) -> Client:
        """Open a connection whose client reads nothing of an answer."""
        self.engine.answer = b"x" * size
        client = self.engine.client()
        client.channel.pauseProducing()
        client.send(HEAD + b"Content-Length: 0\r\n\r\n")
        return client

    def test_unread_answers(self):
        """Of too many answers that nobody reads the oldest is dropped, with its connection."""
        self.bound(0, 1500)
        first, second = self.unread(900), self.unread(500)
        self.assertEqual((self.kept(), first.wire.aborted), ((0, 1400), False))
        third = self.unread(500)
        self.assertEqual([client.wire.aborted for client in (first, second, third)], [True, False, False])
        self.assertEqual(self.kept(), (0, 1000))
        self.engine.clock.advance(0)

    def test_answer_read_late(self):
        """An answer counts until it is read or its client leaves; one alone is never dropped."""
        self.bound(0, 100)
        client = self.unread(900)
        self.assertEqual((self.kept(), client.wire.aborted), ((0, 900), False))
        client.channel.resumeProducing()
        self.assertEqual(self.kept(), (0, 0))
        client = self.unread(900)
        client.leave()
        self.assertEqual(self.kept(), (0, 0))


class OriginTests(SynchronousTestCase):
    """Origins that look local."""

    def test_spellings(self):
        """Only what browsers send for a page of this machine passes for one."""
        guard = Guard("http://127.0.0.1:8080", [], [])
        for origin in ("http://localhost:1", "https://LOCALHOST", "http://[::1]:5", "http://127.0.0.2"):
            self.assertTrue(guard.allows_origin(origin.encode()), origin)
        for origin in (
            "http://evil.com\\@localhost", "http://localhost@evil.com", "http://evil.com#@localhost",
            "http://localhost.evil.com", "evil://localhost", "chrome-extension://localhost", "localhost",
            "http://localhost/path", "http://localhost:x", "http://localhost http://evil.com", "null",
            "http://[::1", "http://127.1", "http://2130706433", "http://0.0.0.0", "file://", "",
        ):  # fmt: skip
            self.assertFalse(guard.allows_origin(origin.encode()), origin)
