"""Tests of what the revisions say about headers."""

from twisted.trial.unittest import SynchronousTestCase

from mcpfront.errors import BadRequest, NotAcceptable, UnsupportedMediaType
from mcpfront.protocol import jsonrpc, mcp


class HeaderTests(SynchronousTestCase):
    """Accept, Content-Type and MCP-Protocol-Version."""

    def test_accept(self):
        """The forms of answer follow from Accept; absent means both."""
        for header, json, stream in (
            ([], True, True), ([b"*/*"], True, True), ([b"application/json"], True, False),
            ([b"text/event-stream"], False, True), ([b"Application/JSON;q=0.9, text/*"], True, True),
            ([b"text/event-stream", b"application/json"], True, True),
        ):  # fmt: skip
            found = mcp.accepts(header)
            self.assertEqual((found.json, found.stream), (json, stream))
        self.assertRaises(NotAcceptable, mcp.accepts, [b"text/html"])
        self.assertRaises(NotAcceptable, mcp.require_stream, [b"application/json"])

    def test_accept_order(self):
        """A client that names the event stream before JSON prefers it."""
        self.assertTrue(mcp.accepts([b"text/event-stream, application/json"]).stream_first)
        self.assertFalse(mcp.accepts([b"application/json, text/event-stream"]).stream_first)
        self.assertFalse(mcp.accepts([b"text/event-stream"]).stream_first)

    def test_content_type(self):
        """A body is JSON or refused; parameters and case do not matter."""
        mcp.require_json(b"Application/Json; charset=utf-8")
        for header in (None, b"text/plain", b"application/jsonp", b"application/x-www-form-urlencoded"):
            self.assertRaises(UnsupportedMediaType, mcp.require_json, header)

    def test_version(self):
        """A served revision is taken, another refused with the list, two headers refused."""
        self.assertEqual(mcp.require_version([b"2025-06-18"]), "2025-06-18")
        self.assertIsNone(mcp.require_version([]))
        error = self.assertRaises(mcp.UnsupportedVersion, mcp.require_version, [b"2030-01-01"])
        self.assertIn("2025-11-25", error.message)
        self.assertRaises(BadRequest, mcp.require_version, [b"2025-06-18", b"2025-06-18"])

    def test_tool_name(self):
        """The tool's name is decoded; params of another shape name none or are refused."""
        call = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":%b}'
        self.assertEqual(mcp.tool_name(jsonrpc.parse(call % b'{"name":"r\\u006d"}')), "rm")
        self.assertIsNone(mcp.tool_name(jsonrpc.parse(call % b'{"name":7}')))
        self.assertRaises(BadRequest, mcp.tool_name, jsonrpc.parse(call % b"[]"))
