"""Listen addresses."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mcpfront.listen.address import BadAddress, HostPort, parse_address


class AddressTests(SynchronousTestCase):
    """What a listen address means."""

    def test_host_and_port(self):
        """Go's forms name a host, or none for every address, and a port."""
        for text, host, port in (
            (":8080", "", 8080), ("127.0.0.1:8080", "127.0.0.1", 8080), ("localhost:0", "localhost", 0),
            ("[::1]:8080", "::1", 8080), ("[::]:1", "::", 1), ("gw.internal:443", "gw.internal", 443),
            (":http", "", 80), ("127.0.0.2:", "127.0.0.2", 0),
        ):  # fmt: skip
            self.assertEqual(parse_address(text), HostPort(host, port))

    def test_descriptions(self):
        """Endpoint descriptions are left to Twisted."""
        for text in (
            "tcp:8080:interface=127.0.0.1",
            "tcp6:0",
            "unix:/run/x.sock",
            "systemd:domain=INET6:name=http",
        ):
            self.assertEqual(parse_address(text), text)

    def test_bad(self):
        """What is neither is refused with what to write instead."""
        for text in ("", "8080", "::1:8080", "[::1]", "[zz]:80", ":65536", ":nosuchservice", "a b", "host:-1",
                     "http://x:80"):  # fmt: skip
            error = self.assertRaises(BadAddress, parse_address, text)
            self.assertIn("is not a listen address", str(error))

    @given(st.text(max_size=30))
    def test_any_text(self, text):
        """Any text is an address, a description or a bad address."""
        try:
            found = parse_address(text)
        except BadAddress:
            return
        self.assertTrue(found == text or 0 <= found.port <= 65535)
