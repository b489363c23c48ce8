"""URLs, origins, hosts and listen addresses: tables of good and bad."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mcpfront.config.reference import Pending
from mcpfront.config.urls import address_fault, base_url_fault, host_fault, origin_fault, web_url_fault

Rule = Callable[[str], str | None]


class UrlTests(SynchronousTestCase):
    """What each kind of address may look like."""

    def _good(self, rule: Rule, *texts: str) -> None:
        for text in texts:
            self.assertIsNone(rule(text), text)

    def _bad(self, rule: Rule, *texts: str) -> None:
        for text in texts:
            self.assertIsNotNone(rule(text), text)

    def test_base_url(self) -> None:
        """The gateway's URL has a web scheme, a host and plain path segments."""
        self._good(
            base_url_fault,
            "https://mcp.example.com",
            "http://127.0.0.1:8080/",
            "http://[::1]:8080/a/b",
            "http://localhost/a-b_c.d~e/",
            Pending(),
        )
        self._bad(
            base_url_fault,
            "",
            "mcp.example.com",
            "ftp://mcp.example.com",
            "https://",
            "https:///x",
            "https://mcp.example.com?x=1",
            "https://mcp.example.com/?",
            "https://mcp.example.com/#",
            "https://u:p@mcp.example.com",
            "https://mcp.example.com:99999",
            "https://mcp.example.com:x",
            "https://mcp.example.com/a//b",
            "https://mcp.example.com/a/../b",
            "https://mcp.example.com/.",
            "https://mcp.example.com/%2e",
            "https://mcp.example.com/a b",
            "https://mcp.example.com/\n",
            "https://mcp.exämple.com",
            "https://[::1",
            "https://-/",
        )

    def test_web_url(self) -> None:
        """Other URLs may have a query, and no credentials."""
        self._good(web_url_fault, "https://a.example/x?y=z#f", "http://a_b.example", Pending())
        self._bad(
            web_url_fault, "", "https://u@a.example", "javascript:alert(1)", "https://a.example\\@b.example"
        )

    def test_origin(self) -> None:
        """An origin has no path; a star is every origin."""
        self._good(origin_fault, "*", "https://claude.ai", "http://localhost:6274", "http://[::1]:80")
        self._bad(
            origin_fault,
            "",
            "null",
            "claude.ai",
            "https://claude.ai/",
            "https://claude.ai/x",
            "https://*.ai?",
            "**",
        )

    def test_host(self) -> None:
        """A host has no scheme and perhaps a port."""
        self._good(host_fault, "a.example", "a.example:443", "[::1]", "[::1]:8080", "10.0.0.1:1", "gateway")
        self._bad(
            host_fault,
            "",
            ":80",
            "https://a.example",
            "a.example/",
            "a.example:99999",
            "a b",
            "a.example:",
            "::1",
        )

    def test_address(self) -> None:
        """A listen address is Go's form or a Twisted endpoint."""
        self._good(
            address_fault,
            ":8080",
            "127.0.0.1:0",
            "[::1]:8080",
            "[fe80::1%eth0]:80",
            "localhost:65535",
            "tcp:8080:interface=127.0.0.1",
            "unix:/run/mcpfront.sock",
            "systemd:domain=INET6:name=https",
            Pending(),
        )
        self._bad(
            address_fault,
            "",
            "8080",
            ":http",
            ":65536",
            "localhost",
            "::1:80",
            "http://localhost:80",
            "a b:80",
            ":-1",
        )

    @given(st.text(max_size=40) | st.from_regex(r"https?://.{0,30}", fullmatch=True))
    def test_any_text(self, text: str) -> None:
        """Any text has a fault or none, never an exception."""
        for rule in (base_url_fault, web_url_fault, origin_fault, host_fault, address_fault):
            self.assertIsInstance(rule(text), str | None)
