"""Tests of lines and events."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mcpfront.protocol.framing import LineFramer, LineTooLong, sse_comment, sse_event

LINES = st.lists(
    st.binary(min_size=1, max_size=20).filter(lambda b: b"\n" not in b and b.strip() == b), max_size=8
)


class LineFramerTests(SynchronousTestCase):
    """Lines of a stdio server."""

    @given(LINES, st.lists(st.integers(0, 200), max_size=10))
    def test_any_split(self, lines, cuts):
        """The same bytes give the same lines wherever they are cut."""
        data = b"".join(line + b"\n" for line in lines)
        framer = LineFramer(100)
        found = []
        points = sorted({0, len(data), *(c for c in cuts if c < len(data))})
        for start, end in pairwise(points):
            found += framer.feed(data[start:end])
        self.assertEqual(found, lines)

    def test_line_ends(self):
        """Carriage returns before a newline and empty lines are dropped."""
        self.assertEqual(LineFramer(100).feed(b"a\r\n\r\n\nb\nc"), [b"a", b"b"])

    def test_rest(self):
        """What has no newline is kept as the rest."""
        framer = LineFramer(100)
        framer.feed(b"a\nb")
        framer.feed(b"c")
        self.assertEqual(framer.rest(), b"bc")

    def test_limit(self):
        """A line over the limit is refused before its newline comes, whole or in parts."""
        self.assertRaises(LineTooLong, LineFramer(3).feed, b"abcd")
        self.assertRaises(LineTooLong, LineFramer(3).feed, b"abcd\n")
        self.assertRaises(LineTooLong, LineFramer(3).feed, b"a\nabcd\nb\n")
        framer = LineFramer(3)
        framer.feed(b"ab")
        self.assertRaises(LineTooLong, framer.feed, b"cd")


class SseTests(SynchronousTestCase):
    """Server-sent events."""

    def test_fields(self):
        """An event has its name, id, retry and data in fields of their own."""
        self.assertEqual(
            sse_event(b"x", b"message", b"1-2", 500), b"event: message\nid: 1-2\nretry: 500\ndata: x\n\n"
        )

    def test_line_breaks(self):
        """A line break in the data cannot start another field."""
        self.assertEqual(sse_event(b"a\r\nid: 9\rb"), b"data: a\ndata: id: 9\ndata: b\n\n")

    def test_comment(self):
        """A comment is a line that begins with a colon."""
        self.assertEqual(sse_comment(b"hi"), b": hi\n\n")
