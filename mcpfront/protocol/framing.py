"""Frames on the wire: lines of a stdio server, events of an event stream.

Source: MCP transports, "stdio" (messages are delimited by newlines and contain none); WHATWG HTML section 9.2
(server-sent events).
"""

from __future__ import annotations


class LineTooLong(ValueError):
    """A line went over the cap before its newline came."""


class LineFramer:
    """Cut a byte stream into lines.

    Args:
        limit: the longest line in bytes, without its newline.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes; return the lines they complete, without line ends and without empty ones.

        Raises:
            LineTooLong: when a line is over the limit; the framer is then of no further use.
        """
        if b"\n" not in data:
            self._keep(data)
            return []
        first, *middle = data.split(b"\n")
        last = middle.pop()
        self._keep(first)
        lines = [b"".join(self._parts), *middle]
        self._parts, self._size = [], 0
        self._keep(last)
        if any(len(line) > self.limit for line in middle):
            raise LineTooLong
        return [stripped for line in lines if (stripped := line.strip())]

    def rest(self) -> bytes:
        """Return the bytes of the unfinished line."""
        return b"".join(self._parts)

    def _keep(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > self.limit:
            raise LineTooLong
        if data:
            self._parts.append(data)


def sse_event(data: bytes, event: bytes = b"", id: bytes = b"", retry: int | None = None) -> bytes:
    """Write one server-sent event.

    Args:
        data: the payload; a line break in it starts another ``data`` field, as the format asks.
        event: the event's name, none when empty.
        id: the event id, none when empty.
        retry: the reconnection time in milliseconds.
    """
    head = b"event: " + event + b"\n" if event else b""
    if id:
        head += b"id: " + id + b"\n"
    if retry is not None:
        head += b"retry: %d\n" % retry
    if b"\n" in data or b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\ndata: ")
    return b"".join((head, b"data: ", data, b"\n\n"))


def sse_comment(text: bytes) -> bytes:
    """Write a comment, which keeps a stream alive and means nothing."""
    return b": " + text + b"\n\n"
