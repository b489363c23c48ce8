"""Stdio servers that behave badly, to test what starts them: ``python -m mcpfront.testing.hostile MODE``.

``MODES`` tells what there is; ``good`` behaves.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from mcpfront.testing import plain
from mcpfront.testing.plain import Params, handle, send, serve, write


def good() -> None:
    """Behave."""
    serve()


def flood_stdout() -> None:
    """Complete the handshake, then send notifications without end."""

    def flooding(line: str) -> None:
        handle(line)
        if '"notifications/initialized"' in line:
            threading.Thread(target=_flood, daemon=True).start()

    serve(flooding)


def flood_stderr() -> None:
    """Behave, and print to the log without end."""
    threading.Thread(target=_flood_log, daemon=True).start()
    serve()


def garbage() -> None:
    """Print banners, broken JSON and bytes of all kinds around sound messages."""
    sys.stdout.buffer.write(b'Welcome!\n\xff\xfe\x00\n{"jsonrpc":\n[1,2\nnull\n{}\n' + b"[" * 5000 + b"\n")
    sys.stdout.buffer.flush()
    serve()


def twice() -> None:
    """Give every answer twice."""
    once = plain.reply

    def both(id: Any, result: Params) -> None:
        once(id, result)
        once(id, result)

    plain.reply = both
    serve()


def unknown_id() -> None:
    """Answer what nobody asked before each answer."""
    once = plain.reply

    def other_first(id: Any, result: Params) -> None:
        once(987654321, result)
        once("x", result)
        once(id, result)

    plain.reply = other_first
    serve()


def stubborn() -> None:
    """Ignore the end of input and TERM."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    serve()
    while True:
        time.sleep(60)


def grandchildren() -> None:
    """Start two processes that hold the pipes: one in the group, one in a session of its own."""
    sleep = [sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(30)"]
    subprocess.Popen(sleep)
    subprocess.Popen(sleep, start_new_session=True)
    serve()


def daemons() -> None:
    """Leave a daemon, forked twice and without pipes, at the start and another one at the end of input."""
    _leave_daemon()
    serve()
    _leave_daemon()


def exit_at_once() -> None:
    """End with code 7."""
    sys.exit(7)


def never_initialize() -> None:
    """Read everything and say nothing."""
    for _ in sys.stdin:
        pass


def deaf() -> None:
    """Complete the handshake, then read nothing any more."""

    def once(line: str) -> None:
        handle(line)
        if '"notifications/initialized"' in line:
            time.sleep(3600)

    serve(once)


def huge_line() -> None:
    """Complete the handshake and answer every call with a line without end."""

    def huge(line: str) -> None:
        if '"initialize"' in line or "notifications/" in line:
            handle(line)
            return
        while True:
            sys.stdout.write("x" * 65536)

    serve(huge)


def half_surrogates() -> None:
    """Answer calls with text cut in the middle of a surrogate pair."""

    def cut(line: str) -> None:
        message = json.loads(line)
        if message.get("method") != "tools/call":
            handle(line)
            return
        result = '{"content":[{"type":"text","text":"cut \\ud83d"}]}'
        write(f'{{"jsonrpc":"2.0","id":{message["id"]},"result":{result}}}')

    serve(cut)


def closes_stdout() -> None:
    """Complete the handshake, then close the output at the first call and live on."""

    def closing(line: str) -> None:
        if '"tools/call"' in line:
            os.close(1)
            time.sleep(60)
        handle(line)

    serve(closing)


def refuses() -> None:
    """Answer the handshake with an error."""

    def refusing(line: str) -> None:
        send(
            id=json.loads(line)["id"],
            error={"code": -32042, "message": "no entry", "data": {"why": "because"}},
        )

    serve(refusing)


def asks() -> None:
    """Ask the client for everything right after the handshake."""

    def curious(line: str) -> None:
        handle(line)
        if '"notifications/initialized"' in line:
            for method in ("ping", "roots/list", "sampling/createMessage", "elicitation/create"):
                send(id=method, method=method, params={})

    serve(curious)


def _leave_daemon() -> None:
    none = subprocess.DEVNULL
    command = ["/bin/sh", "-c", "sleep 30 &"]
    subprocess.run(command, stdin=none, stdout=none, stderr=none, start_new_session=True, check=True)


def _flood() -> None:
    while True:
        send(method="notifications/message", params={"level": "info", "data": "x" * 1000})


def _flood_log() -> None:
    while True:
        os.write(2, b"x" * 4000 + b"\n" + b"y" * 100 + b"\n")


MODES: Final[dict[str, Callable[[], None]]] = {
    mode.__name__.replace("_", "-"): mode
    for mode in (
        good,
        flood_stdout,
        flood_stderr,
        garbage,
        twice,
        unknown_id,
        stubborn,
        grandchildren,
        daemons,
        exit_at_once,
        never_initialize,
        deaf,
        huge_line,
        half_surrogates,
        closes_stdout,
        refuses,
        asks,
    )
}


def main(arguments: list[str]) -> None:
    """Run the mode that the first argument names."""
    if len(arguments) != 1 or arguments[0] not in MODES:
        sys.exit(f"usage: hostile {{{','.join(MODES)}}}")
    MODES[arguments[0]]()


if __name__ == "__main__":
    main(sys.argv[1:])
