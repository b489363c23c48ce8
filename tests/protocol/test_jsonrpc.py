"""Tests of JSON-RPC envelopes."""

import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mcpfront.errors import INVALID_REQUEST, PARSE_ERROR, InvalidMessage
from mcpfront.protocol import jsonrpc
from mcpfront.protocol.jsonrpc import Kind

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
IDS = st.integers(-(2**70), 2**70) | st.text(max_size=30)
STYLES = st.sampled_from([{"separators": (",", ":")}, {}, {"indent": 2}, {"ensure_ascii": False}])


@st.composite
def requests(draw):
    """Draw a request with unknown members in any place, and its text in any style."""
    value = draw(st.dictionaries(st.text(max_size=8), VALUES, max_size=3))
    known = [("jsonrpc", "2.0"), ("id", draw(IDS)), ("method", draw(st.text())), ("params", draw(VALUES))]
    for name in ("result", "error"):
        value.pop(name, None)
    members = draw(st.permutations([*((k, v) for k, v in value.items() if k not in dict(known)), *known]))
    message = dict(members)
    text = json.dumps(message, **draw(STYLES))
    return message, text.encode("utf-8", "surrogatepass")


class ParseTests(SynchronousTestCase):
    """What is a message, and what is none."""

    def refused(self, raw, code):
        error = self.assertRaises(InvalidMessage, jsonrpc.parse, raw)
        self.assertEqual(error.rpc_code, code, raw[:60])
        return error

    @given(requests())
    def test_new_id_keeps_the_rest(self, drawn):
        """Another id changes the id and no other value, in whatever style the text is written."""
        message, raw = drawn
        try:
            raw.decode()
        except UnicodeDecodeError:
            self.refused(raw, PARSE_ERROR)
            return
        parsed = jsonrpc.parse(raw)
        self.assertIs(parsed.kind, Kind.REQUEST)
        expected = json.loads(json.dumps({**message, "id": 99}))
        if parsed.raw == raw:
            self.assertEqual(json.loads(parsed.with_id(b"99")), expected)

    @given(st.binary(max_size=60) | VALUES.map(lambda v: json.dumps(v).encode()))
    def test_anything_is_answered(self, raw):
        """Any bytes are a message or refused, nothing else."""
        try:
            jsonrpc.parse_body(raw)
        except InvalidMessage as error:
            self.assertIn(error.rpc_code, {PARSE_ERROR, INVALID_REQUEST})

    def test_compact_splice_is_exact(self):
        """In compact text every byte but the id's stays where it was."""
        params = b'{"n":1.0e5,"b":123456789012345678901}'
        raw = b'{"x":"\xc3\xa9","id":"a","jsonrpc":"2.0","method":"m","params":%b}' % params
        self.assertEqual(jsonrpc.parse(raw).with_id(b"7"), raw.replace(b'"a"', b"7"))

    def test_kinds(self):
        """A request has a method and an id, a notification no id, a response neither."""
        for raw, kind in (
            (b'{"jsonrpc":"2.0","id":0,"method":"m"}', Kind.REQUEST),
            (b'{"jsonrpc":"2.0","method":"m"}', Kind.NOTIFICATION),
            (b'{"jsonrpc":"2.0","id":"","result":null}', Kind.RESPONSE),
            (b'{"jsonrpc":"2.0","id":null,"error":{}}', Kind.RESPONSE),
        ):
            self.assertIs(jsonrpc.parse(raw).kind, kind)

    def test_malformed(self):
        """What is not JSON is a parse error, what is not JSON-RPC 2.0 an invalid request."""
        for raw in (b"", b"{", b"nul", b"\xef\xbb\xbf{}", b'{"a":"\x01"}', b'{"a":NaN}', b'{"a":1}\x00',
                    b'{"a":"\xff"}', b'{"a":' + b"[" * 100_000, "{}".encode("utf-16")):  # fmt: skip
            self.refused(raw, PARSE_ERROR)
        for raw in (b"1", b'"x"', b"{}", b'{"jsonrpc":"1.0","id":1,"method":"m"}',
                    b'{"jsonrpc":"2.0","id":1}',
                    b'{"jsonrpc":"2.0","id":1,"method":7}', b'{"jsonrpc":"2.0","id":1.5,"method":"m"}',
                    b'{"jsonrpc":"2.0","id":[],"method":"m"}', b'{"jsonrpc":"2.0","id":null,"method":"m"}',
                    b'{"jsonrpc":"2.0","id":1,"result":1,"error":1}'):  # fmt: skip
            self.refused(raw, INVALID_REQUEST)

    def test_duplicate_keys(self):
        """A key that comes twice, escaped or not, is refused: two readers could take different ones."""
        self.refused(b'{"jsonrpc":"2.0","id":1,"id":2,"method":"m"}', INVALID_REQUEST)
        self.refused(b'{"jsonrpc":"2.0","id":1,"method":"a","m\\u0065thod":"b"}', INVALID_REQUEST)
        self.assertRaises(InvalidMessage, jsonrpc.object_members, b'{"name":"a","name":"b"}')

    def test_long_id(self):
        """An id over its bound is refused."""
        self.refused(b'{"jsonrpc":"2.0","id":"%b","method":"m"}' % (b"x" * 2000), INVALID_REQUEST)

    def test_half_surrogate(self):
        r"""Half of a surrogate pair is healed; a backslash that is itself escaped is left alone."""
        raw = b'{"jsonrpc":"2.0","id":1,"result":["\\ud83d","\\ud83d\\ude00","\\\\ud83d"]}'
        self.assertIn(b'["\\ufffd","\\ud83d\\ude00","\\\\ud83d"]', jsonrpc.parse(raw).raw)

    def test_pretty_text_on_one_line(self):
        """Line breaks between tokens become spaces on the way to a stdio server."""
        raw = b'{\r\n "jsonrpc": "2.0",\n "method": "m"\n}'
        line = jsonrpc.parse(raw).line()
        self.assertNotIn(b"\n", line)
        self.assertEqual(json.loads(line), json.loads(raw))

    def test_replace_member(self):
        """A nested value is replaced and everything around it kept."""
        raw = b'{"a":1e400,"_meta":{"progressToken":"t","k":[1]}}'
        self.assertEqual(
            jsonrpc.replace_member(raw, ("_meta", "progressToken"), b"5"),
            b'{"a":1e400,"_meta":{"progressToken":5,"k":[1]}}',
        )

    def test_repr_is_silent(self):
        """The repr of a message tells none of its content."""
        self.assertNotIn(
            "secret", repr(jsonrpc.parse(b'{"jsonrpc":"2.0","method":"m","params":{"k":"secret"}}'))
        )
