"""How many processes may run: for one user of one server, and in all."""

from __future__ import annotations

from collections import Counter
from typing import Final

from mcpfront.authn.base import Principal
from mcpfront.errors import TooManyRequests, Unavailable

Holder = tuple[str, str]
"""The key of the principal whom a process counts against."""
RETRY_AFTER: Final = ((b"Retry-After", b"30"),)


class SpawnBudget:
    """Counts the processes of all servers.

    Args:
        max_total: how many there may be; 0 is unlimited.
    """

    def __init__(self, max_total: int) -> None:
        self.max_total = max_total
        self.used = 0

    def take(self) -> bool:
        """Reserve one; return whether there was room."""
        if self.max_total and self.used >= self.max_total:
            return False
        self.used += 1
        return True

    def give(self) -> None:
        """Give one back."""
        self.used -= 1


class Seat:
    """One reserved process; given back once."""

    def __init__(self, seats: Seats, holder: Holder | None) -> None:
        self._seats = seats
        self._holder = holder
        self._held = True

    def hand_to(self, principal: Principal) -> None:
        """Count it as a user's from here on.

        Raises:
            TooManyRequests: the user has as many as allowed; the seat stays as it was.
        """
        self._holder = self._seats.count(principal)

    def release(self) -> None:
        """Give it back; again does nothing."""
        if self._held:
            self._held = False
            self._seats.release(self._holder)


class Seats:
    """Counts the processes of one server.

    Args:
        name: the server's name.
        budget: what all servers have together.
        max_per_user: how many one user may have; 0 is unlimited, and so is somebody unknown.
    """

    def __init__(self, name: str, budget: SpawnBudget, max_per_user: int) -> None:
        self._name = name
        self._budget = budget
        self._max_per_user = max_per_user
        self._taken: Counter[Holder] = Counter()

    def reserve(self, principal: Principal | None) -> Seat:
        """Reserve a process for a user; None for one that is no user's.

        Raises:
            TooManyRequests: the user has as many as allowed.
            Unavailable: the gateway has.
        """
        holder = None if principal is None else self.count(principal)
        if not self._budget.take():
            self._uncount(holder)
            raise Unavailable(
                f"the gateway runs {self._budget.max_total} server processes (sessions.maxTotal); "
                "try again later",
                headers=RETRY_AFTER,
            )
        return Seat(self, holder)

    def count(self, principal: Principal) -> Holder | None:
        """Count one more for a user; return by what name, None for nobody."""
        if not principal.identified:
            return None
        holder = principal.key
        if self._max_per_user and self._taken[holder] >= self._max_per_user:
            raise TooManyRequests(
                f"you have {self._max_per_user} sessions of the server '{self._name}' (sessions.maxPerUser); "
                "end one of them, or wait until it is idle, and try again",
                headers=RETRY_AFTER,
            )
        self._taken[holder] += 1
        return holder

    def release(self, holder: Holder | None) -> None:
        """Give one back."""
        self._budget.give()
        self._uncount(holder)

    def _uncount(self, holder: Holder | None) -> None:
        if holder is None:
            return
        self._taken[holder] -= 1
        if not self._taken[holder]:
            del self._taken[holder]
