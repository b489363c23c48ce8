"""Tests of what keys a message may have: what two JSON readers could understand differently is refused."""

import json
import time

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mcpfront.errors import InvalidMessage
from mcpfront.protocol.jsonrpc import MAX_MEMBERS, Kind, object_members, parse
from mcpfront.protocol.mcp import tool_name

SPACE = st.sampled_from(["", " ", "\n", "\t \r\n"])
KEYS = st.text(alphabet='ab"\\é\n{}:,', max_size=3)
VALUES = st.sampled_from(["1", "12", "null", "true", '""', '"a"', '","', '{"a":1}', "[1, 2]", "{ }", "1e3"])


@st.composite
def objects(draw) -> tuple[str, list[str]]:
    """Draw the text of a JSON object in some spelling, and its keys."""
    keys = draw(st.lists(KEYS, max_size=5))
    members = []
    for key in keys:
        name = json.dumps(key, ensure_ascii=draw(st.booleans()))
        parts = [draw(SPACE), name, draw(SPACE), ":", draw(SPACE), draw(VALUES), draw(SPACE)]
        members.append("".join(parts))
    return "{" + (",".join(members) or draw(SPACE)) + "}", keys


class DuplicateTests(SynchronousTestCase):
    """Keys that come twice."""

    @given(objects())
    def test_refused_in_every_spelling(self, drawn):
        """An object is refused exactly if two of its keys are equal but for case, however it is written."""
        text, keys = drawn
        if len({key.casefold() for key in keys}) == len(keys):
            self.assertEqual(list(object_members(text.encode())), keys)
        else:
            self.assertRaises(InvalidMessage, object_members, text.encode())

    def test_case_of_envelope(self):
        """A member that reads like one of JSON-RPC's own to a reader that ignores case is refused."""
        for name in ("ID", "Method", "PARAMS", "param\u017f", "Result", "jsonRPC", r"I\u0044"):
            raw = f'{{"jsonrpc":"2.0","id":1,"method":"ping","{name}":2}}'.encode()
            error = self.assertRaises(InvalidMessage, parse, raw)
            self.assertIn("in lower case", str(error))

    def test_extensions(self):
        """Members that JSON-RPC does not know are kept, up to a bound."""
        more = ",".join(f'"x{i}":1' for i in range(MAX_MEMBERS - 3))
        text = '{"jsonrpc":"2.0","id":1,"method":"m",' + more + "%s}"
        self.assertEqual(parse((text % "").encode()).kind, Kind.REQUEST)
        self.assertRaises(InvalidMessage, parse, (text % ',"y":1').encode())

    def test_case_of_tool_name(self):
        """A second name in capitals does not get past the reading of the first."""
        params = b'{"name":"allowed","NAME":"blocked"}'
        message = parse(b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":' + params + b"}")
        self.assertRaises(InvalidMessage, tool_name, message)


class BombTests(SynchronousTestCase):
    """Messages that are made to be slow to read."""

    def test_spelling_costs_nothing(self):
        """A body of a million small objects takes no longer for a space in its envelope."""
        body = b'{ "jsonrpc":"2.0","id":1,"method":"x","params":[' + b",".join([b"{}"] * 1_000_000) + b"]}"
        begun = time.process_time()
        parse(body)
        self.assertLess(time.process_time() - begun, 0.3)

    def test_many_half_surrogates(self):
        """A message of nothing but half surrogates is refused instead of being healed at length."""
        body = b'{"jsonrpc":"2.0","id":1,"method":"x","a":"' + b"\\ud800" * 500_000 + b'"}'
        begun = time.process_time()
        self.assertRaises(InvalidMessage, parse, body)
        self.assertLess(time.process_time() - begun, 0.3)
