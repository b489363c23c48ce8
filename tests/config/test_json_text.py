"""The file as JSON: strict, bounded, duplicates told."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mcpfront.config.json_text import DEEPEST, Object, decode
from mcpfront.config.problem import Findings


def _decode(text: bytes) -> tuple[object, list[str]]:
    findings = Findings()
    return decode(text, findings), [f"{problem.severity} {problem}" for problem in findings.problems]


class DecodeTests(SynchronousTestCase):
    """What is JSON and what is not."""

    def test_values(self) -> None:
        """JSON values come out as they are, a byte order mark before them is passed over."""
        self.assertEqual(
            _decode(b'\xef\xbb\xbf{"a":[1,2.5,null,true,"\\u00fc"]}'), ({"a": [1, 2.5, None, True, "ü"]}, [])
        )

    def test_refused(self) -> None:
        """What is no JSON is refused with the place of the fault."""
        for text, words in {
            b"": "line 1, column 1",
            b'{"a":1,}': "line 1, column 8",
            b"{}\n{}": "line 2, column 1",
            b"// no\n{}": "not valid JSON",
            b'{"a": NaN}': "NaN is no JSON number",
            b'{"a": -Infinity}': "-Infinity is no JSON number",
            b'{"a": "\xff"}': "byte 7",
            b"\x00": "not valid JSON",
            b'{"a": "x\ny"}': "line 1",
        }.items():
            value, told = _decode(text)
            self.assertIsNone(value, text)
            self.assertEqual(len(told), 1)
            self.assertIn(words, told[0])

    def test_duplicates(self) -> None:
        """A key that comes twice is told once, at any depth; the last value is kept."""
        value, told = _decode(b'{"a":[{"b":1,"b":2,"b":3,"c":0}]}')
        self.assertEqual(value, {"a": [{"b": 3, "c": 0}]})
        self.assertEqual(told, ["warning a[0].b: comes twice; the last value is used, remove the others"])

    def test_depth(self) -> None:
        """Nesting is bounded, however deep the file is."""
        for depth in (DEEPEST + 1, 900, 5000, 200_000):
            value, told = _decode(b"[" * depth + b"]" * depth)
            self.assertIsNone(value)
            self.assertEqual(told, [f"error is nested more than {DEEPEST} levels deep"])

    def test_surrogates(self) -> None:
        """Half a surrogate pair is refused in values and in keys, and the message can be printed."""
        for text in (b'{"a":"\\ud800"}', b'{"\\udfff":1}', b'["\\udc00\\ud800"]'):
            value, told = _decode(text)
            self.assertIsNone(value)
            "".join(told).encode("ascii")

    def test_surrogate_pairs(self) -> None:
        """A whole pair is a character."""
        self.assertEqual(_decode(b'["\\ud83d\\ude00"]'), (["😀"], []))

    def test_long_numbers(self) -> None:
        """A number of any length costs nothing and is still a number."""
        value, told = _decode(b"[" + b"9" * 100_000 + b"]")
        self.assertEqual((value, told), ([float("inf")], []))

    @given(st.binary(max_size=60))
    def test_any_bytes(self, text: bytes) -> None:
        """Any bytes are JSON or a problem, never an exception."""
        value, told = _decode(text)
        self.assertTrue(told or value is None or isinstance(value, Object | list | str | int | float))
