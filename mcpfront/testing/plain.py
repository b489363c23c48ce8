"""A stdio server that behaves, and whose tools show what reached it: the body of the servers that do not.

Only the standard library is used, so that one starts fast.
"""

from __future__ import annotations

import json
import os
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
