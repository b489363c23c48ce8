"""The kinds of isolation: a process for one session, for the sessions of one user, or for everybody."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from twisted.internet.interfaces import IDelayedCall
from typing_extensions import override

from mcpfront.errors import METHOD_NOT_FOUND
from mcpfront.protocol import jsonrpc
from mcpfront.protocol.jsonrpc import Kind, Message
from mcpfront.upstream.calls import Call
from mcpfront.upstream.connection import StdioConnection
from mcpfront.upstream.hub import MAX_EARLY, Hub
from mcpfront.upstream.peer import Peer

IDLE: Final = 60.0
"""Seconds that a user's process outlives the last session."""
ASKED: Final = {
    "sampling/createMessage": "sampling",
    "elicitation/create": "elicitation",
    "roots/list": "roots",
}
"""Requests of a server and the capability by which a client says that it answers them."""
LOG_MESSAGE: Final = "notifications/message"
PROGRESS: Final = "notifications/progress"
UPDATED: Final = "notifications/resources/updated"


class SessionHub(Hub):
    """A process of one session: everything passes as it is, both ways.

    A spare has no session for a while; what its process says then is kept, within a bound.
    """

    shared = False
    _paused = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._early: list[tuple[Peer, Message]] = []
        super().__init__(*args, **kwargs)

    @override
    def join(self, params: bytes) -> StdioConnection:
        """Give the process to the session."""
        member = super().join(params)
        early, self._early = self._early, []
        for peer, message in early:
            self.receive(peer, message)
        return member

    @override
    async def leave(self, member: StdioConnection) -> None:
        """End the session and its process; waits until it is gone."""
        await super().leave(member)
        self.over(self)
        await self.runner.stop()

    @override
    def started(self, peer: Peer, again: bool) -> None:
        """Leave the end of a first handshake to the client, so that it goes through untouched."""
        if self.spare or again:
            super().started(peer, again)
        if self._paused:
            peer.child.pause()

    @override
    def initialized(self, peer: Peer, message: Message) -> None:
        """Pass on the client's own ``notifications/initialized``, unless the process has had one."""
        if not peer.initialized:
            peer.initialized = True
            peer.send(message.raw)

    @override
    def server_request(self, peer: Peer, message: Message) -> None:
        """Let the session answer."""
        if self.members:
            self.ask(peer, self.members[0], message)
        elif message.method == "ping":
            peer.send(jsonrpc.response(message.id or b"null", b"{}"))
        else:
            self._keep(peer, message)

    @override
    def server_notification(self, peer: Peer, message: Message) -> None:
        """Tell the session."""
        if not self.members:
            self._keep(peer, message)
        elif message.method == LOG_MESSAGE:
            self.members[0].sink()(message)
        else:
            self.members[0].deliver(message)

    @override
    def died(self, peer: Peer) -> None:
        """Forget what the process had said."""
        self._early.clear()
        super().died(peer)

    @override
    def pause(self) -> None:
        """Stop reading."""
        self._paused = True
        if self.runner.current is not None:
            self.runner.current.child.pause()

    @override
    def resume(self) -> None:
        """Read on."""
        self._paused = False
        if self.runner.current is not None:
            self.runner.current.child.resume()

    def _keep(self, peer: Peer, message: Message) -> None:
        if len(self._early) < MAX_EARLY:
            self._early.append((peer, message))
        elif message.kind is Kind.REQUEST:
            self.refuse(peer, message.id, "nobody is there to answer")


class UserHub(Hub):
    """A process of one user: the server's requests go to the session that is at work."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._working: dict[Call, StdioConnection] = {}
        self._latest: StdioConnection | None = None
        self._idle: IDelayedCall | None = None

    @override
    def join(self, params: bytes) -> StdioConnection:
        """Add a session of the user."""
        self._end_idle()
        return super().join(params)

    @override
    async def leave(self, member: StdioConnection) -> None:
        """End a session; the process outlives the last one for a while."""
        await super().leave(member)
        if self._latest is member:
            self._latest = None
        if not self.members and not self.runner.stopped:
            self._end_idle()
            self._idle = self.clock.callLater(IDLE, self.over, self)

    @override
    async def close(self, hurry: bool = False) -> None:
        """End the process."""
        self._end_idle()
        await super().close(hurry)

    @override
    def began(self, member: StdioConnection, id: bytes, call: Call) -> None:
        """Note who is at work."""
        super().began(member, id, call)
        self._latest = self._working[call] = member

    @override
    def ended(self, member: StdioConnection, call: Call) -> None:
        """Note who is at work no longer."""
        super().ended(member, call)
        self._working.pop(call, None)

    @override
    def server_request(self, peer: Peer, message: Message) -> None:
        """Let the session of the latest call answer, if its client can."""
        member = self._at_work()
        if message.method == "ping":
            peer.send(jsonrpc.response(message.id or b"null", b"{}"))
        elif member is None:
            self.refuse(peer, message.id, "nobody is there to answer")
        elif ASKED.get(message.method, "") not in {"", *member.capabilities}:
            text = f"the client does not answer {message.method}"
            self.refuse(peer, message.id, text, METHOD_NOT_FOUND)
        else:
            self.ask(peer, member, message)

    @override
    def server_notification(self, peer: Peer, message: Message) -> None:
        """Tell every session, or those that it concerns."""
        if message.method == UPDATED:
            _tell(self.hearing(message), message)
        elif message.method == LOG_MESSAGE and len(working := set(self._working.values())) == 1:
            working.pop().sink()(message)
        elif message.method != PROGRESS:
            _tell(self.members, message)

    def _at_work(self) -> StdioConnection | None:
        if self._working:
            return next(reversed(self._working.values()))
        return self._latest or (self.members[-1] if self.members else None)

    def _end_idle(self) -> None:
        if self._idle is not None and self._idle.active():
            self._idle.cancel()


class SharedHub(Hub):
    """A process of everybody: nothing of one session reaches another, and nobody answers for all.

    Notifications of the sessions do not reach the server: it could not know whose they are.
    """

    relays = False

    @override
    def answer_locally(self, member: StdioConnection, message: Message) -> bytes | None:
        """Answer what would change the process for the others."""
        if message.method == "logging/setLevel":
            return b"{}"
        return super().answer_locally(member, message)

    @override
    def server_request(self, peer: Peer, message: Message) -> None:
        """Answer that nobody does."""
        if message.method == "ping":
            peer.send(jsonrpc.response(message.id or b"null", b"{}"))
        else:
            text = f"{message.method} is not answered where one process serves everybody"
            self.refuse(peer, message.id, text, METHOD_NOT_FOUND)

    @override
    def server_notification(self, peer: Peer, message: Message) -> None:
        """Tell what is the same for everybody; the rest could be about somebody else."""
        if message.method == UPDATED:
            _tell(self.hearing(message), message)
        elif message.method.endswith("/list_changed"):
            _tell(self.members, message)


def _tell(members: Iterable[StdioConnection], message: Message) -> None:
    for member in list(members):
        member.deliver(message)
