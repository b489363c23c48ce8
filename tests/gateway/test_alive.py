"""Tests of the one timer that keeps everything alive."""

from twisted.trial.unittest import SynchronousTestCase

from mcpfront.gateway.alive import KeepAlive


class Breathing:
    """Counts its signs of life; fails at each if told to."""

    def __init__(self, *, failing: bool = False) -> None:
        self.failing = failing
        self.signs = 0

    def keep_alive(self) -> None:
        """Give a sign of life."""
        self.signs += 1
        if self.failing:
            raise RuntimeError("out of breath")


class KeepAliveTests(SynchronousTestCase):
    """Signs of life."""

    def test_one_failure(self) -> None:
        """What fails at its sign of life keeps nobody else from giving one."""
        alive, living = KeepAlive(), [Breathing(failing=True), Breathing(), Breathing(failing=True)]
        for one in living:
            alive.add(one)
        alive.tick()
        self.assertEqual([one.signs for one in living], [1, 1, 1])
