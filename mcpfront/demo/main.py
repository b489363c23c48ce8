"""The demo server's loop: stdin and time in, stdout out, one thread."""

from __future__ import annotations

import os
import select
import sys
import time
from typing import Final

from mcpfront.demo.server import Server
from mcpfront.protocol.framing import LineFramer, LineTooLong

MAX_LINE: Final = 16 * 1024 * 1024


def main() -> int:
    """Serve MCP on stdin and stdout until stdin ends; return the exit code."""
    if sys.stdin.isatty():
        _say("an MCP server on stdin and stdout: configure it in a client, or type JSON-RPC lines")
    server = Server(_write, time.monotonic)
    framer = LineFramer(MAX_LINE)
    try:
        while data := _read(server):
            for line in framer.feed(data):
                server.receive(line)
    except LineTooLong:
        _say(f"a line is longer than {MAX_LINE} bytes")
        return 1
    except (BrokenPipeError, KeyboardInterrupt):
        return 0
    return 0


def _read(server: Server) -> bytes:
    """Wait for bytes, letting calls go on meanwhile; return nothing at the end of stdin."""
    stdin = sys.stdin.fileno()
    while True:
        due = server.due
        wait = None if due is None else max(0.0, due - time.monotonic())
        if select.select([stdin], [], [], wait)[0]:
            return os.read(stdin, 65536)
        server.advance()


def _write(line: str) -> None:
    data = memoryview(line.encode("ascii") + b"\n")
    while data:
        data = data[os.write(sys.stdout.fileno(), data) :]


def _say(words: str) -> None:
    sys.stderr.write(f"mcpfront demo: {words}\n")
