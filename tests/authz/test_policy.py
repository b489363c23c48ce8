"""Which tools exist for clients."""

import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mcpfront.authz.policy import Policy
from mcpfront.config.model import ToolFilter

BLOCK = Policy(ToolFilter(mode="block", list=["rm", "drop"]))
ALLOW = Policy(ToolFilter(mode="allow", list=["echo"]))
NONE = Policy(None)


def names(result):
    """Return the tools' names of a result."""
    return [tool["name"] for tool in json.loads(result)["tools"]]


class CallTests(SynchronousTestCase):
    """What may be called."""

    def test_calls(self):
        """Allow lets the listed tools be called, block all but the listed ones, no filter all."""
        for policy, allowed, refused in (
            (BLOCK, ["echo", "RM", ""], ["rm", "drop"]),
            (ALLOW, ["echo"], ["rm", "Echo"]),
            (NONE, ["rm"], []),
        ):
            for name in allowed:
                self.assertTrue(policy.allows("tools/call", name))
            for name in refused:
                self.assertFalse(policy.allows("tools/call", name))

    def test_nameless(self):
        """A call that names no tool is refused where there is a filter."""
        self.assertFalse(BLOCK.allows("tools/call", None))
        self.assertFalse(ALLOW.allows("tools/call", None))
        self.assertTrue(NONE.allows("tools/call", None))

    def test_other_methods(self):
        """Everything but calls of tools is none of the filter's business."""
        for method in ("tools/list", "resources/read", "prompts/get", "initialize"):
            self.assertTrue(ALLOW.allows(method, "rm"))

    def test_empty_lists(self):
        """An empty allow list allows nothing, an empty block list blocks nothing, no mode is no filter."""
        self.assertFalse(Policy(ToolFilter(mode="allow", list=[])).allows("tools/call", "x"))
        self.assertTrue(Policy(ToolFilter(mode="block", list=[])).allows("tools/call", "x"))
        self.assertTrue(Policy(ToolFilter(mode="", list=["x"])).allows("tools/call", "x"))


class ListTests(SynchronousTestCase):
    """What is listed."""

    def test_untouched(self):
        """A result from which nothing goes is returned byte for byte."""
        raw = b'{ "tools" : [ {"name":"echo"} ], "big": 123456789012345678901234567890 , "nextCursor":"c"}'
        for policy in (NONE, BLOCK, ALLOW):
            self.assertIs(policy.filter_tools(raw), raw)

    def test_kept_bytes(self):
        """What is kept is kept byte for byte: unknown members, big numbers, escapes, order and cursor."""
        kept = (
            b'{"name":"echo","x":1.50,"n":12345678901234567890,"d":"\\u00e9\\/","inputSchema":{"$defs":{ }}}'
        )
        raw = b'{"_meta":{"a": 1},"tools":[{"name":"rm"},' + kept + b',{"name":"drop"}],"nextCursor":"c"}'
        wanted = b'{"_meta":{"a": 1},"tools":[' + kept + b'],"nextCursor":"c"}'
        self.assertEqual(BLOCK.filter_tools(raw), wanted)
        self.assertEqual(ALLOW.filter_tools(raw), wanted)

    def test_spelling(self):
        """A name written with escapes is the same name."""
        self.assertEqual(BLOCK.filter_tools(b'{"tools":[{"name":"\\u0072m"}]}'), b'{"tools":[]}')

    def test_not_judged(self):
        """A tool without a name that can be judged is left out."""
        for tool in (
            b"3",
            b"null",
            b'"rm"',
            b"{}",
            b'{"name":3}',
            b'{"name":"ok","name":"rm"}',
            b'{"name":null}',
        ):
            self.assertEqual(names(BLOCK.filter_tools(b'{"tools":[' + tool + b',{"name":"ok"}]}')), ["ok"])

    def test_no_tools(self):
        """A result without tools is not touched; one whose tools are no list shows none."""
        self.assertEqual(BLOCK.filter_tools(b'{"x":1}'), b'{"x":1}')
        for raw in (b'{"tools":{"name":"rm"}}', b'{"tools":[],"tools":[{"name":"rm"}]}', b"[]", b"3"):
            self.assertEqual(BLOCK.filter_tools(raw), b'{"tools":[]}')

    @given(st.lists(st.text(max_size=6)), st.sets(st.text(max_size=6)), st.sampled_from(["allow", "block"]))
    def test_list_and_call_agree(self, tools, listed, mode):
        """A tool is listed exactly when it may be called, in the server's order."""
        policy = Policy(ToolFilter(mode=mode, list=sorted(listed)))
        raw = json.dumps({"tools": [{"name": name} for name in tools]}).encode()
        self.assertEqual(
            names(policy.filter_tools(raw)), [n for n in tools if policy.allows("tools/call", n)]
        )

    @given(st.binary(max_size=100))
    def test_any_bytes(self, raw):
        """Whatever a server says, nothing is raised."""
        self.assertIsInstance(BLOCK.filter_tools(raw), bytes)
