"""What a process was told that the next one must be told again: the log level and the subscriptions."""

from __future__ import annotations

from typing import Final, Generic, TypeVar

from mcpfront.protocol import jsonrpc
from mcpfront.protocol.jsonrpc import Message
from mcpfront.upstream.parsing import member_at
from mcpfront.upstream.subscriptions import Subscriptions

SET_LEVEL: Final = "logging/setLevel"
SUBSCRIBE: Final = "resources/subscribe"
UNSUBSCRIBE: Final = "resources/unsubscribe"

M = TypeVar("M")


class Memory(Generic[M]):
    """What the sessions of a process have told it."""

    def __init__(self) -> None:
        self._level: bytes | None = None
        self._subscriptions: Subscriptions[M] = Subscriptions()

    def spares_the_server(self, member: M, message: Message) -> bool:
        """Tell whether a request is done with: its sender unsubscribes, and others stay subscribed.

        Raises:
            TooManyRequests: it subscribes to more than can be kept.
        """
        uri = _uri(message) if message.method in {SUBSCRIBE, UNSUBSCRIBE} else None
        if uri is None:
            return False
        if message.method == SUBSCRIBE:
            self._subscriptions.check(uri)
            return False
        if not self._subscriptions.held_by_others(member, uri):
            return False
        self._subscriptions.remove(member, uri)
        return True

    def note(self, member: M, message: Message) -> None:
        """Remember a request that the server has granted."""
        if message.method == SET_LEVEL:
            self._level = message.params
        elif (uri := _uri(message) if message.method in {SUBSCRIBE, UNSUBSCRIBE} else None) is not None:
            if message.method == SUBSCRIBE:
                self._subscriptions.add(member, uri, message.params)
            else:
                self._subscriptions.remove(member, uri)

    def hearing(self, message: Message) -> set[M]:
        """Return who subscribed to the resource of a ``notifications/resources/updated``."""
        return self._subscriptions.hearing(_uri(message) or "")

    def forget(self, member: M) -> list[bytes]:
        """Forget a member; return the params of subscriptions that nobody has any more."""
        return self._subscriptions.drop(member)

    def requests(self) -> list[tuple[str, bytes]]:
        """Return the requests, method and raw params, that tell a new process what the old one knew."""
        level = [] if self._level is None else [(SET_LEVEL, self._level)]
        return level + [(SUBSCRIBE, params) for params in self._subscriptions.all_params()]


def _uri(message: Message) -> str | None:
    return jsonrpc.string(member_at(message.params, "uri"))
