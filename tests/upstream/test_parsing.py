"""How a server's lines and a client's params are read."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mcpfront.errors import InvalidMessage
from mcpfront.protocol.jsonrpc import parse
from mcpfront.upstream.calls import key
from mcpfront.upstream.parsing import (
    capabilities_of,
    member_at,
    messages_of,
    progress_token,
    result_for,
    same,
    spoilt_response,
)

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


class LineTests(SynchronousTestCase):
    """Lines of a server."""

    @given(st.binary(max_size=200))
    def test_any_bytes(self, line: bytes) -> None:
        """Whatever a line holds, it is messages or it is refused."""
        try:
            messages = messages_of(line)
        except InvalidMessage as error:
            spoilt_response(line, error)
        else:
            self.assertIsInstance(messages, list)

    def test_spoilt_response(self) -> None:
        """The id of a malformed response is found; that of a malformed request is not taken for one."""
        for line, expected in (
            (b'{"jsonrpc":"2.0","id":5,"result":1,"error":{}}', b"5"),
            (b'{"id":5,"result":1}', b"5"),
            (b'{"jsonrpc":"1.0","id":5,"method":"x"}', None),
            (b"nonsense", None),
        ):
            error = self.assertRaises(InvalidMessage, messages_of, line)
            self.assertEqual(spoilt_response(line, error), expected)


class ParamsTests(SynchronousTestCase):
    """Params of a client."""

    @given(VALUES, st.text(max_size=3))
    def test_member_at(self, value: Any, name: str) -> None:
        """A member is found where there is one, and nothing elsewhere."""
        raw = json.dumps({"a": value}).encode()
        found = member_at(raw, "a", name)
        expected = isinstance(value, dict) and name in value
        self.assertEqual(found is not None, expected)
        self.assertIsNone(member_at(json.dumps(value).encode(), "no", "such", "path"))

    @given(VALUES)
    def test_progress_token(self, token: Any) -> None:
        """A request's token is found as it is spelled."""
        params = {"_meta": {"progressToken": token}}
        message = parse(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "x", "params": params}).encode())
        found = progress_token(message, strict=True)
        self.assertEqual(json.loads(found or b"0"), token)

    def test_no_token(self) -> None:
        """Params without a token have none, whatever their shape."""
        for params in (
            '{"progressToken":1}',
            '["progressToken"]',
            '{"_meta":null,"progressToken":1}',
            '{"_meta":[]}',
        ):
            message = parse(f'{{"jsonrpc":"2.0","id":1,"method":"x","params":{params}}}'.encode())
            self.assertIsNone(progress_token(message, strict=True))

    def test_look_alikes(self) -> None:
        """Where a token must not be overlooked, other spellings of it are refused, wherever letters fold."""
        for params in (
            '{"_meta":{"progresstoken":16}}',
            '{"_META":{"progressToken":16}}',
            '{"_meta":{"progre\\u017f\\u017ftoken":16}}',
            '{"_meta":{"progre\u017f\u017ftoken":16}}',
        ):
            message = parse(f'{{"jsonrpc":"2.0","id":1,"method":"x","params":{params}}}'.encode())
            self.assertRaises(InvalidMessage, progress_token, message, strict=True)
            self.assertIsNone(progress_token(message, strict=False))

    def test_capabilities(self) -> None:
        """Capabilities are those that are declared; none when they make no sense."""
        self.assertEqual(capabilities_of(b'{"capabilities":{"roots":{},"x":null}}'), {"roots", "x"})
        for raw in (b"{}", b'{"capabilities":[]}', b'{"capabilities":null}', b"[]"):
            self.assertEqual(capabilities_of(raw), frozenset())

    def test_result_for(self) -> None:
        """Only a client of an older known revision is told another one than the process speaks."""
        result = b'{"x": 1.0,"protocolVersion":"2025-06-18"}'
        for version, told in (
            ("2024-11-05", b"2024-11-05"),
            ("2025-11-25", b"2025-06-18"),
            ("1.0", b"2025-06-18"),
        ):
            params = json.dumps({"protocolVersion": version}).encode()
            self.assertIn(told, result_for(params, result))

    def test_same(self) -> None:
        """Raw JSON is compared by meaning."""
        self.assertTrue(same(b'{"a": 1, "b":[]}', b'{"b":[],"a":1}'))
        self.assertFalse(same(b"{}", b'{"a":1}'))
        self.assertTrue(same(None, None))
        self.assertFalse(same(None, b"{}"))

    @given(st.text(max_size=10))
    def test_key(self, id: str) -> None:
        """Two spellings of an id are equal, and a string never equals a number."""
        plain, escaped = (
            json.dumps(id, ensure_ascii=False).encode("utf-8", "surrogatepass"),
            json.dumps(id).encode(),
        )
        self.assertEqual(key(plain), key(escaped))
        self.assertNotEqual(key(b"1"), key(b'"1"'))
