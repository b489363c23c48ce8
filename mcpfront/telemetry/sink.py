"""Where log lines go: a stream that may be full, closed or gone, and must never stop the gateway."""

from __future__ import annotations

import os
import select
from typing import IO, Final

_CHUNK: Final = select.PIPE_BUF
"""Bytes that a writable pipe takes without blocking (pipe(7))."""


class Sink:
    """Write lines to a stream without ever waiting for its reader.

    A line that the stream cannot take now is dropped and counted, so that the next one can tell how many are
    missing.

    Args:
        stream: a text stream. One with a file descriptor is bypassed: its descriptor is written to.
    """

    def __init__(self, stream: IO[str]) -> None:
        self.dropped = 0
        self._stream = stream
        self._cut = False
        self._fd = _descriptor(stream)
        self._poll = select.poll()
        if self._fd is not None:
            self._poll.register(self._fd, select.POLLOUT)

    def write(self, line: bytes) -> None:
        """Write one line, given without its newline."""
        if self._cut:
            line = b"\n" + line
        if self._send(line + b"\n"):
            self._cut = False
        else:
            self.dropped += 1

    def take_dropped(self) -> int:
        """Return how many lines were dropped since the last call, 0 while the stream is still full."""
        if not self.dropped or not self._writable():
            return 0
        dropped, self.dropped = self.dropped, 0
        return dropped

    def _send(self, data: bytes) -> bool:
        if self._fd is None:
            return self._send_plain(data)
        for start in range(0, len(data), _CHUNK):
            if not self._send_chunk(data[start : start + _CHUNK]):
                self._cut = self._cut or start > 0
                return False
        return True

    def _send_chunk(self, chunk: bytes) -> bool:
        if not self._writable():
            return False
        try:
            return os.write(self._fd or 0, chunk) == len(chunk)
        except OSError:
            return False

    def _send_plain(self, data: bytes) -> bool:
        try:
            self._stream.write(data.decode("utf-8", "backslashreplace"))
        except (OSError, ValueError):
            return False
        return True

    def _writable(self) -> bool:
        if self._fd is None:
            return True
        try:
            events = self._poll.poll(0)
        except OSError:
            return False
        return bool(events) and bool(events[0][1] & select.POLLOUT)


def _descriptor(stream: IO[str]) -> int | None:
    try:
        return stream.fileno()
    except (OSError, ValueError, AttributeError):
        return None
