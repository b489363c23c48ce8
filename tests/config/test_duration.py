"""Durations: Go's grammar, and nothing else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mcpfront.config import duration


class DurationTests(SynchronousTestCase):
    """What is read as a duration and what is not."""

    def test_read(self) -> None:
        """Every unit, fractions, signs and sums are read."""
        for text, seconds in {
            "0": 0,
            "+0": 0,
            "1h30m": 5400,
            "100ms": 0.1,
            "1.5h": 5400,
            ".5s": 0.5,
            "5.s": 5,
            "-2s": -2,
            "+3m": 180,
            "2us": 2e-6,
            "2µs": 2e-6,
            "2μs": 2e-6,
            "7ns": 7e-9,
            "1m1m": 120,
        }.items():
            self.assertEqual(duration.parse(text), seconds, text)

    def test_refused(self) -> None:
        """What is no duration is refused, with words that do not repeat it."""
        for text in (
            "",
            "+",
            "1",
            "1d",
            "1w",
            "s",
            "1 s",
            "1S",
            "1e3s",
            "--1s",
            "٣s",
            "1h30",
            ".s",
            "9" * 60 + "h",
        ):
            error = self.assertRaises(ValueError, duration.parse, text)
            if len(text) > 4:
                self.assertNotIn(text, str(error))

    def test_bounded(self) -> None:
        """A text too long to be a duration is refused before it is parsed."""
        self.assertRaises(ValueError, duration.parse, "1s" * 40)

    @given(st.integers(0, 10**9))
    def test_render_is_read_back(self, milliseconds: int) -> None:
        """A rendered duration is read as the same number of seconds."""
        seconds = milliseconds / 1000
        self.assertAlmostEqual(duration.parse(duration.render(seconds)), seconds)

    @given(st.text(max_size=70))
    def test_any_text(self, text: str) -> None:
        """Any text is a number of seconds or a ValueError."""
        try:
            self.assertIsInstance(duration.parse(text), float)
        except ValueError:
            return
