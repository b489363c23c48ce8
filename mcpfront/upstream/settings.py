# ruff: noqa: D102 - the classes' docstrings tell their attributes
"""What this room asks of a configured server; the config's own model has these attributes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol


class Text(Protocol):
    """A configured text that may hold a secret or ask for the user's own token."""

    @property
    def needs_token(self) -> bool:
        """Whether it cannot be told without a user's token."""

    def render(self, token: str | None) -> str:
        """Return the text itself."""


class StdioSettings(Protocol):
    """One server that runs as a child process; durations are seconds.

    Attributes:
        name: its name in the config.
        command: the program, found through the child's own PATH.
        args: what the program is given.
        env: the child's environment beyond the names that every child gets.
        cwd: the directory to start in, None for the gateway's.
        env_passthrough: more names to hand on from the gateway's environment.
        isolation: ``session``, ``user`` or ``shared``.
        warm: how many spare processes to keep started and initialized.
        timeout: how long a call may be silent.
        handshake_timeout: how long a process may take to complete ``initialize``.
    """

    @property
    def name(self) -> str: ...
    @property
    def command(self) -> str: ...
    @property
    def args(self) -> Sequence[Text]: ...
    @property
    def env(self) -> Mapping[str, Text]: ...
    @property
    def cwd(self) -> str | None: ...
    @property
    def env_passthrough(self) -> Sequence[str]: ...
    @property
    def isolation(self) -> str: ...
    @property
    def warm(self) -> int: ...
    @property
    def timeout(self) -> float: ...
    @property
    def handshake_timeout(self) -> float: ...


class MessageLimits(Protocol):
    """The bounds of what a child may send.

    Attributes:
        message: bytes of one message.
    """

    @property
    def message(self) -> int: ...
