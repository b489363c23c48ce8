"""Which connections of a process asked to hear of which resource."""

from __future__ import annotations

from typing import Final, Generic, TypeVar

from mcpfront.errors import TooManyRequests

MAX_SUBSCRIPTIONS: Final = 500

M = TypeVar("M")


class Subscriptions(Generic[M]):
    """Resources that are subscribed to, and by whom."""

    def __init__(self) -> None:
        self._params: dict[str, bytes] = {}
        self._members: dict[str, set[M]] = {}

    def check(self, uri: str) -> None:
        """See whether another subscription has room.

        Raises:
            TooManyRequests: it has not.
        """
        if uri not in self._params and len(self._params) >= MAX_SUBSCRIPTIONS:
            raise TooManyRequests(f"{MAX_SUBSCRIPTIONS} resources are subscribed to; give some up first")

    def add(self, member: M, uri: str, params: bytes) -> None:
        """Note that ``member`` subscribed with ``params`` (raw JSON)."""
        self._params[uri] = params
        self._members.setdefault(uri, set()).add(member)

    def remove(self, member: M, uri: str) -> None:
        """Note that ``member`` wants to hear of a resource no longer."""
        members = self._members.get(uri, set())
        members.discard(member)
        if not members:
            self._members.pop(uri, None)
            self._params.pop(uri, None)

    def held_by_others(self, member: M, uri: str) -> bool:
        """Tell whether somebody besides ``member`` is subscribed."""
        return bool(self._members.get(uri, set()) - {member})

    def drop(self, member: M) -> list[bytes]:
        """Forget a member; return the params of subscriptions that nobody has any more."""
        mine = [uri for uri, members in self._members.items() if member in members]
        alone = [self._params[uri] for uri in mine if not self.held_by_others(member, uri)]
        for uri in mine:
            self.remove(member, uri)
        return alone

    def hearing(self, uri: str) -> set[M]:
        """Return who hears of a resource: an update may name a part of what was subscribed to."""
        found: set[M] = set()
        for wanted, members in self._members.items():
            if uri == wanted or uri.startswith(wanted.rstrip("/") + "/"):
                found |= members
        return found

    def all_params(self) -> list[bytes]:
        """Return the params of every subscription, to be sent anew."""
        return list(self._params.values())
