"""Stdio servers that behave badly, to test what starts them: ``python -m mcpfront.testing.hostile MODE``.

Only the standard library is used, so that one starts fast. ``MODES`` tells what there is; ``good`` behaves,
and its tools show what reached it.
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
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

Params = dict[str, Any]

_LOCK: Final = threading.Lock()
_WAITING: Final[dict[str, threading.Event]] = {}
_ANSWERS: Final[dict[str, str]] = {}
_SEEN: Final[list[str]] = []


def write(text: str) -> None:
    """Write one line to the client."""
    with _LOCK:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def send(**members: Any) -> None:
    """Send one JSON-RPC message."""
    write(json.dumps({"jsonrpc": "2.0", **members}))


def reply(id: Any, result: Params) -> None:
    """Answer a request."""
    send(id=id, result=result)


def text(value: str) -> Params:
    """Return a tool's result that holds a text."""
    return {"content": [{"type": "text", "text": value}]}


def ask(id: str, method: str, params: Params) -> str:
    """Ask the client something; return the line of its answer."""
    _WAITING[id] = threading.Event()
    send(id=id, method=method, params=params)
    _WAITING[id].wait(10)
    return _ANSWERS.get(id, "nothing")


# The tools of a server that behaves


@dataclass(frozen=True)
class ToolCall:
    """One ``tools/call``.

    Attributes:
        id: the request's id.
        params: its params.
        line: the whole line.
    """

    id: Any
    params: Params
    line: str

    @property
    def arguments(self) -> Params:
        """What the tool is given."""
        return dict(self.params.get("arguments", {}))


def echo(call: ToolCall) -> None:
    """Return the line as it came."""
    reply(call.id, text(call.line))


def progress(call: ToolCall) -> None:
    """Report progress three times."""
    token = call.params.get("_meta", {}).get("progressToken")
    for step in (1, 2, 3):
        send(method="notifications/progress", params={"progressToken": token, "progress": step})
    reply(call.id, text("done"))


def log(call: ToolCall) -> None:
    """Send a log message."""
    send(method="notifications/message", params={"level": "info", "data": "hello"})
    reply(call.id, text("done"))


def changed(call: ToolCall) -> None:
    """Say that the tools have changed."""
    send(method="notifications/tools/list_changed")
    reply(call.id, text("done"))


def updated(call: ToolCall) -> None:
    """Say that a resource was updated."""
    send(method="notifications/resources/updated", params={"uri": call.arguments["uri"]})
    reply(call.id, text("done"))


def asking(call: ToolCall) -> None:
    """Ask the client, by the method in the arguments, and return its answer."""
    reply(call.id, text(ask(f"ask-{call.id}", call.arguments["method"], {"big": 2**70})))


def slow(call: ToolCall) -> None:
    """Take a while, given in seconds."""
    time.sleep(call.arguments["seconds"])
    reply(call.id, text("done"))


def seen(call: ToolCall) -> None:
    """Return every line that came."""
    reply(call.id, text(json.dumps(_SEEN)))


def surroundings(call: ToolCall) -> None:
    """Return the environment, the directory, the session and the process group."""
    pid = os.getpid()
    found = {
        "env": dict(os.environ),
        "cwd": str(Path.cwd()),
        "pid": pid,
        "sid": os.getsid(0),
        "pgid": os.getpgrp(),
    }
    reply(call.id, text(json.dumps(found)))


def die(call: ToolCall) -> None:
    """End without an answer."""
    os._exit(call.arguments.get("code", 3))


def last_words(call: ToolCall) -> None:
    """Answer and end at once."""
    reply(call.id, text("goodbye"))
    os._exit(0)


TOOLS: Final[dict[str, Callable[[ToolCall], None]]] = {
    tool.__name__: tool
    for tool in (
        echo,
        progress,
        log,
        changed,
        updated,
        asking,
        slow,
        seen,
        surroundings,
        die,
        last_words,
    )
}


def initialize(id: Any, params: Params) -> None:
    """Answer the handshake."""
    reply(
        id,
        {
            "protocolVersion": params["protocolVersion"],
            "capabilities": {"tools": {}, "logging": {}, "resources": {"subscribe": True}},
            "serverInfo": {"name": "hostile", "version": "1", "pid": os.getpid()},
        },
    )


def handle(line: str) -> None:
    """Serve one line as a server should."""
    _SEEN.append(line)
    message = json.loads(line)
    id, method, params = message.get("id"), message.get("method"), message.get("params", {})  # noqa: A001
    if method is None:
        _ANSWERS[id] = line
        _WAITING.get(id, threading.Event()).set()
    elif method == "initialize":
        initialize(id, params)
    elif method == "tools/call":
        threading.Thread(
            target=TOOLS[params["name"]], args=(ToolCall(id, params, line),), daemon=True
        ).start()
    elif id is not None:
        reply(id, {})


def serve(handle: Callable[[str], None] = handle) -> None:
    """Serve until the input ends."""
    for line in sys.stdin:
        handle(line.rstrip("\n"))


# The modes


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
    global reply  # noqa: PLW0603
    once = reply

    def both(id: Any, result: Params) -> None:
        once(id, result)
        once(id, result)

    reply = both
    serve()


def unknown_id() -> None:
    """Answer what nobody asked before each answer."""
    global reply  # noqa: PLW0603
    once = reply

    def other_first(id: Any, result: Params) -> None:
        once(987654321, result)
        once("x", result)
        once(id, result)

    reply = other_first
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
        write(
            '{"jsonrpc":"2.0","id":%d,"result":{"content":[{"type":"text","text":"cut \\ud83d"}]}}'
            % message["id"]
        )

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
