"""The demo server's protocol: JSON-RPC 2.0 and the MCP revisions 2024-11-05 to 2025-11-25, without I/O.

Lines come in by ``receive``, time by ``advance``, lines go out by the ``write`` it was given.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

from mcpfront import __version__
from mcpfront.demo import catalog
from mcpfront.demo.catalog import Ask, Sleep, Steps, ToolError
from mcpfront.demo.messages import (
    BUSY,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    Batch,
    Json,
    Reply,
    RpcError,
    decode,
    error_response,
    problem,
    wants_answer,
)

REVISIONS: Final = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
LEVELS: Final = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
MAX_CALLS: Final = 100
ANSWER_TIME: Final = 300.0
"""Seconds that a question to the client may stay open."""


@dataclass
class Call:
    """One tool call in flight.

    Attributes:
        id: the client's request id.
        steps: the tool.
        reply: takes the response.
        due: when it goes on without a message.
        asked: the id of our request that it waits for, 0 for none.
    """

    id: str | int
    steps: Steps
    reply: Reply
    due: float = 0.0
    asked: int = 0


class Server:
    """One conversation with one client.

    Args:
        write: takes each line to send, without its line end.
        clock: returns the time in seconds, for waits.
    """

    def __init__(self, write: Callable[[str], None], clock: Callable[[], float]) -> None:
        self._write = write
        self._clock = clock
        self._ids = count(1)
        self._calls: dict[str | int, Call] = {}
        self._batches: dict[str | int, Batch] = {}
        self._capabilities: Json | None = None
        self._level = len(LEVELS)
        self._methods: dict[str, Callable[[Json], Json]] = {
            "ping": lambda _params: {},
            "tools/list": lambda _params: {"tools": catalog.TOOL_LIST},
            "resources/list": lambda _params: {"resources": catalog.RESOURCE_LIST},
            "resources/templates/list": lambda _params: {"resourceTemplates": []},
            "resources/read": catalog.read_resource,
            "prompts/list": lambda _params: {"prompts": catalog.PROMPT_LIST},
            "prompts/get": catalog.get_prompt,
            "completion/complete": catalog.complete,
            "logging/setLevel": self._set_level,
            "initialize": self._initialize,
        }

    @property
    def due(self) -> float | None:
        """When ``advance`` has something to do, None for never."""
        return min((call.due for call in self._calls.values()), default=None)

    def receive(self, line: bytes) -> None:
        """Take one line from the client."""
        try:
            value = decode(line)
        except RpcError as error:
            self._send(error_response(None, error.code, str(error)))
            return
        if isinstance(value, list) and value:
            self._batch(value)
        else:
            self._message(value, None)

    def advance(self) -> None:
        """Let the calls go on whose wait is over."""
        now = self._clock()
        for call in [call for call in self._calls.values() if call.due <= now]:
            if call.asked:
                self._step(call, ToolError("the client did not answer in time"))
            else:
                self._step(call, {})

    def _batch(self, messages: list[Any]) -> None:
        batch = Batch(sum(wants_answer(message) for message in messages), self._send)
        for message in messages:
            self._message(message, batch)

    def _message(self, message: Any, batch: Batch | None) -> None:
        reply = batch.reply if batch else self._send
        fault = problem(message)
        if fault:
            reply(error_response(None, INVALID_REQUEST, fault))
        elif "method" not in message:
            self._answered(message)
        elif "id" not in message:
            self._notified(message["method"], message.get("params", {}))
        else:
            self._request(message, reply, batch)

    def _request(self, message: Json, reply: Reply, batch: Batch | None) -> None:
        id = message["id"]  # noqa: A001
        try:
            result = self._dispatch(message, reply)
        except RpcError as error:
            reply(error_response(id, error.code, str(error)))
        else:
            if result is not None:
                reply({"jsonrpc": "2.0", "id": id, "result": result})
            elif batch and id in self._calls:
                self._batches[id] = batch

    def _dispatch(self, message: Json, reply: Reply) -> Json | None:
        method, params = message["method"], message.get("params", {})
        if not isinstance(params, dict):
            raise RpcError(INVALID_PARAMS, '"params" must be an object')
        if self._capabilities is None and method not in ("initialize", "ping"):
            raise RpcError(INVALID_REQUEST, '"initialize" comes first')
        if method == "tools/call":
            self._call(message["id"], params, reply)
            return None
        if method not in self._methods:
            raise RpcError(METHOD_NOT_FOUND, f"there is no method {method[:100]!r}")
        return self._methods[method](params)

    def _initialize(self, params: Json) -> Json:
        wanted, capabilities = params.get("protocolVersion"), params.get("capabilities", {})
        if not isinstance(wanted, str) or not isinstance(capabilities, dict):
            raise RpcError(INVALID_PARAMS, '"initialize" needs "protocolVersion" and "capabilities"')
        self._capabilities = capabilities
        return {
            "protocolVersion": wanted if wanted in REVISIONS else REVISIONS[-1],
            "capabilities": {"tools": {}, "resources": {}, "prompts": {}, "logging": {}, "completions": {}},
            "serverInfo": {"name": "mcpfront-demo", "title": "mcpfront demo", "version": __version__},
            "instructions": "A server to try the gateway with: echo, add, now, countdown, ask.",
        }

    def _set_level(self, params: Json) -> Json:
        if params.get("level") not in LEVELS:
            raise RpcError(INVALID_PARAMS, f'"level" must be one of {", ".join(LEVELS)}')
        self._level = LEVELS.index(params["level"])
        return {}

    def _call(self, id: str | int, params: Json, reply: Reply) -> None:
        name, arguments = params.get("name"), params.get("arguments", {})
        if not isinstance(name, str) or name not in catalog.TOOLS:
            raise RpcError(INVALID_PARAMS, "there is no such tool")
        if not isinstance(arguments, dict):
            raise RpcError(INVALID_PARAMS, '"arguments" must be an object')
        if id in self._calls:
            raise RpcError(INVALID_REQUEST, "a call with this id is in flight")
        if len(self._calls) >= MAX_CALLS:
            raise RpcError(BUSY, f"{MAX_CALLS} calls are in flight; try again later")
        context = catalog.Context(self._progress(params), self._log, self._capabilities or {})
        call = Call(id, catalog.TOOLS[name](arguments, context), reply)
        self._calls[id] = call
        self._step(call, None)

    def _step(self, call: Call, value: Json | Exception | None) -> None:
        """Run a tool to its next wait or to its end."""
        call.asked = 0
        try:
            step = call.steps.throw(value) if isinstance(value, Exception) else call.steps.send(value)  # type: ignore[arg-type]
        except StopIteration as end:
            self._finish(call, end.value)
        except ToolError as error:
            self._finish(call, catalog.text(str(error), isError=True))
        else:
            self._wait(call, step)

    def _wait(self, call: Call, step: Sleep | Ask) -> None:
        if isinstance(step, Sleep):
            call.due = self._clock() + step.seconds
            return
        call.asked, call.due = next(self._ids), self._clock() + ANSWER_TIME
        self._send({"jsonrpc": "2.0", "id": call.asked, "method": step.method, "params": step.params})

    def _finish(self, call: Call, result: Json) -> None:
        self._forget(call)
        call.reply({"jsonrpc": "2.0", "id": call.id, "result": result})

    def _forget(self, call: Call) -> Batch | None:
        del self._calls[call.id]
        return self._batches.pop(call.id, None)

    def _answered(self, message: Json) -> None:
        """Hand a response of the client to the call that asked; a late one is nobody's."""
        for call in list(self._calls.values()):
            if call.asked and call.asked == message["id"]:
                result = message.get("result")
                failed = ToolError("the client answered with an error")
                self._step(call, result if isinstance(result, dict) else failed)

    def _notified(self, method: str, params: Any) -> None:
        if method != "notifications/cancelled" or not isinstance(params, dict):
            return
        id = params.get("requestId")  # noqa: A001
        call = self._calls.get(id) if isinstance(id, (str, int)) else None
        if call is None:
            return
        if call.asked:
            self._notify("notifications/cancelled", {"requestId": call.asked})
        call.steps.close()
        batch = self._forget(call)
        if batch:
            batch.drop()

    def _progress(self, params: Json) -> Callable[[float, float, str], None]:
        meta = params.get("_meta")
        token = meta.get("progressToken") if isinstance(meta, dict) else None

        def tell(done: float, total: float, message: str) -> None:
            told = {"progressToken": token, "progress": done, "total": total, "message": message}
            self._notify("notifications/progress", told)

        return (lambda *_: None) if token is None else tell

    def _log(self, level: str, message: str) -> None:
        if LEVELS.index(level) >= self._level:
            self._notify("notifications/message", {"level": level, "logger": "demo", "data": message})

    def _notify(self, method: str, params: Json) -> None:
        self._send({"jsonrpc": "2.0", "method": method, "params": params})

    def _send(self, value: Any) -> None:
        self._write(json.dumps(value, separators=(",", ":")))
