"""Requests of a server that one client is to answer, under ids that are valid for this client alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mcpfront.protocol.jsonrpc import Message
from mcpfront.upstream.base import OnMessage
from mcpfront.upstream.calls import key
from mcpfront.upstream.peer import Peer

MAX_ASKS: Final = 100


@dataclass(frozen=True, slots=True)
class Ask:
    """One request of a server.

    Attributes:
        peer: the process that asks.
        id: the id it gave, raw JSON.
        sink: where the client was told.
    """

    peer: Peer
    id: bytes
    sink: OnMessage


class Asks:
    """The open requests of a server to one client."""

    def __init__(self) -> None:
        self._last = 0
        self._open: dict[bytes, Ask] = {}

    @property
    def full(self) -> bool:
        """Whether the client has as many to answer as it may."""
        return len(self._open) >= MAX_ASKS

    def add(self, peer: Peer, message: Message, sink: OnMessage) -> bytes:
        """Note a request; return its id for the client, raw JSON."""
        self._last += 1
        minted = b"%d" % self._last
        self._open[minted] = Ask(peer, message.id or b"null", sink)
        return minted

    def answered(self, minted: bytes | None) -> Ask | None:
        """Take out the request that the client answers; None when there is none."""
        return self._open.pop(minted or b"", None)

    def find(self, peer: Peer, id: bytes) -> tuple[bytes, Ask] | None:
        """Return a process's request and its id for the client."""
        for minted, ask in self._open.items():
            if ask.peer is peer and key(ask.id) == key(id):
                return minted, ask
        return None

    def forget(self, minted: bytes) -> None:
        """Forget a request that needs no answer any more."""
        self._open.pop(minted, None)

    def drop(self, peer: Peer | None = None) -> list[Ask]:
        """Forget the requests of a process, or all; return them."""
        gone = {minted: ask for minted, ask in self._open.items() if peer in (None, ask.peer)}
        for minted in gone:
            del self._open[minted]
        return list(gone.values())
