"""Log events as text."""

import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mcpfront.telemetry.render import MAX_VALUE, Timestamp, escape, to_json, to_logfmt

VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(), st.lists(st.text())
)
FORGERY = 'x\nlevel=error msg="all is well" \x1b[31m \x9b \u2028 \u202e \ud800'


class RenderTests(SynchronousTestCase):
    """JSON and logfmt."""

    def test_json(self):
        """Values keep their JSON types, others become text."""
        line = to_json({"a": 1, "b": 1.5, "c": True, "d": None, "e": b"\xff", "f": {"k": 1}, "g": 2**70})
        wanted = {"a": 1, "b": 1.5, "c": True, "d": None, "e": "\\xff", "f": "{'k': 1}", "g": str(2**70)}
        self.assertEqual(json.loads(line), wanted)

    def test_logfmt(self):
        """Plain words stand bare, anything else in quotes."""
        line = to_logfmt({"a": 1, "b": "x y", "c": 'q"\\', "d": None, "e": "", "f": "/p?q", "g g": False})
        self.assertEqual(line, b'a=1 b="x y" c="q\\"\\\\" d="" e="" f="/p?q" g_g=false')

    def test_forgery(self):
        """A value cannot end its line, start another one or talk to a terminal."""
        for line in (to_json({"v": FORGERY, "k\n": 1}), to_logfmt({"v": FORGERY, "k\n": 1})):
            text = line.decode()
            self.assertEqual(escape(text), text)

    def test_bounded(self):
        """A value beyond any use is cut, a traceback in its middle."""
        self.assertLess(len(to_json({"v": "x" * 100_000})), MAX_VALUE + 100)
        line = to_json({"v": "Traceback" + "x" * 100_000 + "the error"})
        self.assertLess(len(line), MAX_VALUE + 100)
        self.assertIn(b"the error", line)

    @given(st.dictionaries(st.text(), VALUES))
    def test_any_event(self, event):
        """Whatever an event holds, it becomes one line of safe text."""
        for render in (to_json, to_logfmt):
            text = render(event).decode()
            self.assertEqual(escape(text), text)
        self.assertEqual(len(json.loads(to_json(event))), len(event))

    def test_timestamp(self):
        """The time is UTC with milliseconds, also within a second that was written before."""
        times = iter((1700000000.0014, 1700000000.9996, 1700000001.0))
        stamp = Timestamp(lambda: next(times))
        self.assertEqual(
            [stamp(), stamp(), stamp()],
            ["2023-11-14T22:13:20.001Z", "2023-11-14T22:13:20.999Z", "2023-11-14T22:13:21.000Z"],
        )
