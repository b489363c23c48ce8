"""The machine that ends a process."""

from __future__ import annotations

import signal

from hypothesis import settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from hypothesis.strategies import booleans, floats
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mcpfront.upstream.lifecycle import CALM, HURRY, Core, Life, make_life


class Hands:
    """Notes what is done."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def close_stdin(self) -> None:
        """Note the end of input."""
        self.done.append("eof")

    def signal_group(self, number: signal.Signals) -> None:
        """Note a signal."""
        self.done.append(number.name)

    def give_up(self) -> None:
        """Note the end of hope."""
        self.done.append("gave up")


def machine() -> tuple[Life, Hands, Clock]:
    """Make a machine, its hands and its clock."""
    hands, clock = Hands(), Clock()
    return make_life(Core(hands, clock)), hands, clock


class LadderTests(SynchronousTestCase):
    """The ladder, step by step."""

    def climb(self, hurry: bool) -> list[tuple[float, str]]:
        """Stop a process that never ends; return what was done when."""
        life, hands, clock = machine()
        life.stop(hurry)
        done = [(0.0, hands.done[0])]
        while clock.getDelayedCalls():
            clock.advance(clock.getDelayedCalls()[0].getTime() - clock.seconds())
            done.append((round(clock.seconds(), 3), hands.done[-1]))
        return done

    def test_calm(self) -> None:
        """EOF, then TERM after two seconds, then KILL after two more, and at last the process is let go."""
        self.assertEqual(
            self.climb(hurry=False), [(0.0, "eof"), (2.0, "SIGTERM"), (4.0, "SIGKILL"), (9.0, "gave up")]
        )

    def test_hurry(self) -> None:
        """In a hurry all of it takes less than two seconds."""
        self.assertEqual(
            self.climb(hurry=True), [(0.0, "eof"), (0.3, "SIGTERM"), (1.0, "SIGKILL"), (1.5, "gave up")]
        )

    def test_hurry_later(self) -> None:
        """A hurry that comes during a calm stop shortens the step in progress and the ones after it."""
        life, hands, clock = machine()
        life.stop(hurry=False)
        clock.advance(1)
        life.stop(hurry=True)
        clock.advance(HURRY.eof)
        clock.advance(HURRY.term)
        self.assertEqual(hands.done, ["eof", "SIGTERM", "SIGKILL"])
        life.exited()

    def test_calm_later(self) -> None:
        """A calm stop after a hurried one lengthens nothing."""
        life, hands, clock = machine()
        life.stop(hurry=True)
        life.stop(hurry=False)
        clock.advance(HURRY.eof)
        self.assertEqual(hands.done, ["eof", "SIGTERM"])
        life.exited()

    def test_exit_ends_it(self) -> None:
        """Once the process has ended nothing more is done to it."""
        life, hands, clock = machine()
        life.stop(hurry=False)
        life.exited()
        life.stop(hurry=True)
        self.assertEqual((hands.done, clock.getDelayedCalls()), (["eof"], []))

    def test_own_end(self) -> None:
        """A process that ends by itself needs nothing."""
        life, hands, clock = machine()
        life.exited()
        self.assertEqual((hands.done, clock.getDelayedCalls()), ([], []))


class AnyOrder(RuleBasedStateMachine):
    """Stops, exits and waits in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.life, self.hands, self.clock = machine()
        self.stopped = self.exited = False

    @rule(hurry=booleans())
    def stop(self, hurry: bool) -> None:
        """Ask for the end."""
        self.stopped = self.stopped or not self.exited
        self.life.stop(hurry)

    @rule()
    def exit(self) -> None:
        """End."""
        self.exited = True
        self.life.exited()

    @rule(seconds=floats(0.0, 3.0))
    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.advance(seconds)

    @invariant()
    def in_order(self) -> None:
        """Each step is done once and in order, and only if a stop was asked for."""
        ladder = ["eof", "SIGTERM", "SIGKILL", "gave up"]
        assert self.hands.done == ladder[: len(self.hands.done)]
        assert bool(self.hands.done) == self.stopped

    @invariant()
    def owned_timer(self) -> None:
        """There is one timer while something is awaited, and none otherwise."""
        waits = self.stopped and not self.exited and self.hands.done[-1:] != ["gave up"]
        assert len(self.clock.getDelayedCalls()) == int(waits)

    @precondition(lambda self: self.stopped)
    @rule()
    def long_wait(self) -> None:
        """After all waits together, nothing is awaited."""
        for seconds in (CALM.eof, CALM.term, CALM.kill):
            self.clock.advance(seconds)
        assert self.clock.getDelayedCalls() == []


class AnyOrderTests(SynchronousTestCase):
    """The machine in any order of events."""

    def test_any_order(self) -> None:
        """Whatever comes when, the steps are in order, done once, and no timer is left behind."""
        run_state_machine_as_test(AnyOrder, settings=settings(max_examples=100, deadline=None))
