"""Tests of heads that are made to be understood differently by two readers, and of bodies without a right."""

from mcpfront.errors import Unauthorized
from tests.listen.engine import HEAD, EngineCase

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
