"""How a child process ends: asked by the end of its input, told by TERM, forced by KILL.

The machine knows no process: it acts through :class:`Hands` and is told what happens.

Source: MCP transports, "stdio", shutdown: close the input, wait, SIGTERM, wait, SIGKILL.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from automat import TypeMachineBuilder
from twisted.internet.interfaces import IDelayedCall, IReactorTime


class Hands(Protocol):
    """What the machine does to a process."""

    def close_stdin(self) -> None:
        """Let the process see the end of its input."""

    def signal_group(self, number: signal.Signals) -> None:
        """Signal the process and everything in its group."""

    def give_up(self) -> None:
        """Let go of a process that even KILL does not end."""


class Life(Protocol):
    """The inputs of the machine."""

    def stop(self, hurry: bool) -> None:
        """End the process; ``hurry`` shortens the waits, also of a stop that has begun."""

    def patience_over(self) -> None:
        """Tell that the wait of the present step is over."""

    def exited(self) -> None:
        """Tell that the process has ended."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds to wait after each step of the ladder."""

    eof: float
    term: float
    kill: float


CALM: Final = Patience(eof=2.0, term=2.0, kill=5.0)
HURRY: Final = Patience(eof=0.3, term=0.7, kill=0.5)


@dataclass
class Core:
    """What the machine works on.

    Attributes:
        hands: acts on the process.
        clock: measures the waits.
        patience: the waits in force.
    """

    hands: Hands
    clock: IReactorTime
    patience: Patience = CALM
    timer: IDelayedCall | None = field(default=None, repr=False)

    def hurry(self, wanted: bool) -> None:
        """Shorten the waits from here on, if that is wanted."""
        if wanted:
            self.patience = HURRY

    def wait(self, seconds: float, then: Callable[[], None]) -> None:
        """Start the wait of a step."""
        self.rest()
        self.timer = self.clock.callLater(seconds, then)

    def shorten(self, seconds: float) -> None:
        """Wait no longer than ``seconds`` from now."""
        if self.timer is not None and self.timer.getTime() > self.clock.seconds() + seconds:
            self.timer.reset(seconds)

    def rest(self) -> None:
        """End the wait."""
        timer, self.timer = self.timer, None
        if timer is not None and timer.active():
            timer.cancel()


def make_machine() -> Callable[[Core], Life]:
    """Build the machine: running, stopping, terminating, killing, gone."""
    builder = TypeMachineBuilder(Life, Core)
    running = builder.state("running")
    stopping = builder.state("stopping")
    terminating = builder.state("terminating")
    killing = builder.state("killing")
    gone = builder.state("gone")

    running.upon(Life.patience_over).loop().returns(None)
    gone.upon(Life.stop).loop().returns(None)
    gone.upon(Life.patience_over).loop().returns(None)
    gone.upon(Life.exited).loop().returns(None)

    @running.upon(Life.stop).to(stopping)
    def ask(life: Life, core: Core, hurry: bool) -> None:
        core.hurry(hurry)
        core.wait(core.patience.eof, life.patience_over)
        core.hands.close_stdin()

    @stopping.upon(Life.stop).loop()
    def ask_faster(_: Life, core: Core, hurry: bool) -> None:
        core.hurry(hurry)
        core.shorten(core.patience.eof)

    @stopping.upon(Life.patience_over).to(terminating)
    def tell(life: Life, core: Core) -> None:
        core.wait(core.patience.term, life.patience_over)
        core.hands.signal_group(signal.SIGTERM)

    @terminating.upon(Life.stop).loop()
    def tell_faster(_: Life, core: Core, hurry: bool) -> None:
        core.hurry(hurry)
        core.shorten(core.patience.term)

    @terminating.upon(Life.patience_over).to(killing)
    def force(life: Life, core: Core) -> None:
        core.wait(core.patience.kill, life.patience_over)
        core.hands.signal_group(signal.SIGKILL)

    @killing.upon(Life.stop).loop()
    def force_faster(_: Life, core: Core, hurry: bool) -> None:
        core.hurry(hurry)
        core.shorten(core.patience.kill)

    @killing.upon(Life.patience_over).to(gone)
    def let_go(_: Life, core: Core) -> None:
        core.rest()
        core.hands.give_up()

    for state in (running, stopping, terminating, killing):

        @state.upon(Life.exited).to(gone)
        def finish(_: Life, core: Core) -> None:
            core.rest()

    return builder.build()


make_life: Final = make_machine()
