"""Flags: one dash or two, with a value behind them or after an equals sign."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mcpfront.flags import FlagError, Flags, HelpWanted

DECLARED = {"config": True, "validate": False}


class FlagTests(SynchronousTestCase):
    """What is read from a command line."""

    def test_forms(self) -> None:
        """All four forms of a value are one."""
        for line in (["-config", "f"], ["--config", "f"], ["-config=f"], ["--config=f"]):
            flags = Flags(DECLARED, [*line, "rest"])
            self.assertEqual((flags.text("config"), flags.rest, bool(flags)), ("f", ["rest"], True))

    def test_switches(self) -> None:
        """A switch takes no value but may be given one."""
        for line, on in (
            (["-validate"], True),
            (["--validate=true"], True),
            (["-validate=0"], False),
            (["-validate", "false"], True),
            ([], False),
        ):
            self.assertEqual(Flags(DECLARED, line).on("validate"), on)

    def test_stops(self) -> None:
        """Flags end at the first other argument, and at two dashes."""
        self.assertEqual(Flags(DECLARED, ["x", "-validate"]).rest, ["x", "-validate"])
        self.assertEqual(Flags(DECLARED, ["--", "-validate"]).rest, ["-validate"])
        self.assertEqual(Flags(DECLARED, ["-", "-validate"]).rest, ["-", "-validate"])
        self.assertFalse(Flags(DECLARED, ["x", "-validate"]))

    def test_values_may_look_like_flags(self) -> None:
        """The argument behind a flag is its value, whatever it looks like; the last value counts."""
        self.assertEqual(Flags(DECLARED, ["-config", "-validate"]).text("config"), "-validate")
        self.assertEqual(Flags(DECLARED, ["-config", "a", "-config=b=c"]).text("config"), "b=c")

    def test_refused(self) -> None:
        """Unknown flags, missing values and bad forms are errors that name the flag."""
        for line, words in (
            (["-nope"], "-nope"),
            (["--nope=1"], "-nope"),
            (["-config"], "-config"),
            (["-validate=maybe"], "-validate"),
            (["---config", "f"], "---config"),
            (["-=f"], "-=f"),
        ):
            self.assertIn(words, str(self.assertRaises(FlagError, Flags, DECLARED, line)))

    def test_help(self) -> None:
        """Help is a flag even where it is not declared."""
        for line in (["-h"], ["--help"], ["-validate", "-h", "-nope"]):
            self.assertRaises(HelpWanted, Flags, DECLARED, line)

    @given(
        st.lists(st.sampled_from(["-config", "-validate", "--", "-", "x"]) | st.text(max_size=8), max_size=5)
    )
    def test_any_line(self, line: list[str]) -> None:
        """Any command line is read or refused, and what is left is its end."""
        try:
            flags = Flags(DECLARED, line)
        except (FlagError, HelpWanted):
            return
        self.assertEqual(flags.rest, line[len(line) - len(flags.rest) :])
