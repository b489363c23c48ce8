"""Bounds of an HTTP connection."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """What one connection may take and how long it may take for it; times in seconds, sizes in bytes.

    Attributes:
        header_timeout: from the first byte of a request to the end of its head, in total.
        body_timeout: from the end of the head to the end of the body, in total.
        idle_timeout: how long a connection may wait for its next request.
        close_timeout: how long a client may take to read the rest of an answer before a close is forced.
        stall_timeout: how long a stream may stay paused because its client reads nothing.
        linger: how long the rest of a refused request is read and thrown away, so that the refusal arrives.
        linger_bytes: how much of it.
        headers: how many header lines a request may have.
        head_bytes: how long its request line and headers may be together.
        line_bytes: how long each of them may be.
        stream_buffer: how much may wait for a paused stream.
        connections: how many connections may be open at once.
        bodies: how much all of them together may have in bodies that are not answered.
        unread: how much all of them together may have in answers that their clients do not read.
    """

    header_timeout: float = 20.0
    body_timeout: float = 60.0
    idle_timeout: float = 75.0
    close_timeout: float = 15.0
    stall_timeout: float = 60.0
    linger: float = 2.0
    linger_bytes: int = 32 * 1024 * 1024
    headers: int = 100
    head_bytes: int = 32 * 1024
    line_bytes: int = 16 * 1024
    stream_buffer: int = 1024 * 1024
    connections: int = 10_000
    bodies: int = 512 * 1024 * 1024
    unread: int = 512 * 1024 * 1024
