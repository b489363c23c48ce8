"""What the demo server offers: five tools, one resource, one prompt.

A tool is a generator: it yields what it waits for, a :class:`Sleep` or an :class:`Ask`, and returns its
result.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Final

from mcpfront.demo.messages import INVALID_PARAMS, Json, RpcError

MAX_COUNT: Final = 100
MAX_INTERVAL: Final = 60.0


class ToolError(Exception):
    """A tool cannot do what it is asked; told inside the result, so that a model can mend its call."""


@dataclass(frozen=True)
class Sleep:
    """Wait.

    Attributes:
        seconds: how long.
    """

    seconds: float


@dataclass(frozen=True)
class Ask:
    """Send the client a request and wait for its result.

    Attributes:
        method: the method of the request.
        params: its params.
    """

    method: str
    params: Json


@dataclass(frozen=True)
class Context:
    """What a tool may do besides waiting.

    Attributes:
        progress: tell how far the call is (done, total, message); nothing when the client gave no token.
        log: send a log message (level, text) if the client asked for that level.
        capabilities: what the client declared.
    """

    progress: Callable[[float, float, str], None]
    log: Callable[[str, str], None]
    capabilities: Json


Steps = Generator[Sleep | Ask, Json, Json]


def text(value: str, **members: Any) -> Json:
    """Make a tool result of one text block."""
    return {"content": [{"type": "text", "text": value}], **members}


def echo(arguments: Json, _context: Context) -> Steps:
    """Return what came."""
    yield from ()
    return text(_argument(arguments, "message", str))


def add(arguments: Json, _context: Context) -> Steps:
    """Return the sum of two numbers."""
    yield from ()
    one, other = _argument(arguments, "a", int, float), _argument(arguments, "b", int, float)
    try:
        total = one + other
        words = str(total)
    except (OverflowError, ValueError):  # an integer too large for a float, or for its decimal digits
        words = "inf"
    if words in ("inf", "-inf", "nan"):
        raise ToolError("the numbers are too large")
    return text(words, structuredContent={"sum": total})


def now(_arguments: Json, _context: Context) -> Steps:
    """Return the time of the server."""
    yield from ()
    return text(time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))


def countdown(arguments: Json, context: Context) -> Steps:
    """Count down, telling progress on the way."""
    start = _argument(arguments, "from", int, default=3)
    interval = _argument(arguments, "interval", int, float, default=0.2)
    if not 1 <= start <= MAX_COUNT or not 0 <= interval <= MAX_INTERVAL:
        raise ToolError(f'"from" must be 1 to {MAX_COUNT} and "interval" 0 to {MAX_INTERVAL:g} seconds')
    context.log("info", f"counting down from {start}")
    for done in range(1, start + 1):
        yield Sleep(interval)
        context.progress(done, start, str(start - done))
    return text(" ".join(str(number) for number in range(start, -1, -1)))


def ask(arguments: Json, context: Context) -> Steps:
    """Ask the person at the client a question, by elicitation."""
    question = _argument(arguments, "question", str)
    if not isinstance(context.capabilities.get("elicitation"), dict):
        raise ToolError("this client cannot ask its user: it did not declare the elicitation capability")
    schema = {
        "type": "object",
        "properties": {"answer": {"type": "string", "title": "Answer"}},
        "required": ["answer"],
    }
    result = yield Ask("elicitation/create", {"message": question, "requestedSchema": schema})
    action, content = result.get("action"), result.get("content")
    if action != "accept" or not isinstance(content, dict):
        return text(f"The question was not answered ({action}).")
    return text(f"The answer is: {content.get('answer')}")


def _argument(arguments: Json, name: str, *types: type, default: Any = None) -> Any:
    value = arguments.get(name, default)
    if type(value) not in types:  # exact, since a bool is an int in Python and is none in JSON
        wanted = "a string" if types == (str,) else "an integer" if types == (int,) else "a number"
        raise ToolError(f'the argument "{name}" must be {wanted}')
    return value


TOOLS: Final[dict[str, Callable[[Json, Context], Steps]]] = {
    "echo": echo,
    "add": add,
    "now": now,
    "countdown": countdown,
    "ask": ask,
}


def _schema(required: list[str], /, **properties: Json) -> Json:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _number(description: str, kind: str = "number", **members: Any) -> Json:
    return {"type": kind, "description": description, **members}


TOOL_LIST: Final[list[Json]] = [
    {
        "name": "echo",
        "title": "Echo",
        "description": "Return the message unchanged.",
        "inputSchema": _schema(["message"], message={"type": "string", "description": "what to return"}),
        "annotations": {"readOnlyHint": True},
    },
    {
        "name": "add",
        "title": "Add",
        "description": "Add two numbers.",
        "inputSchema": _schema(["a", "b"], a=_number("one addend"), b=_number("the other addend")),
        "outputSchema": _schema(["sum"], sum=_number("the sum")),
        "annotations": {"readOnlyHint": True},
    },
    {
        "name": "now",
        "title": "Now",
        "description": "Tell the server's time, in UTC.",
        "inputSchema": _schema([]),
        "annotations": {"readOnlyHint": True},
    },
    {
        "name": "countdown",
        "title": "Count down",
        "description": "Count down to zero, telling progress on the way.",
        "inputSchema": _schema(
            [],
            **{
                "from": _number("where to start", "integer", minimum=1, maximum=MAX_COUNT, default=3),
                "interval": _number(
                    "seconds between two counts", minimum=0, maximum=MAX_INTERVAL, default=0.2
                ),
            },
        ),
        "annotations": {"readOnlyHint": True},
    },
    {
        "name": "ask",
        "title": "Ask",
        "description": "Ask the person at the client a question. Needs a client that supports elicitation.",
        "inputSchema": _schema(["question"], question={"type": "string", "description": "what to ask"}),
    },
]

RESOURCE_LIST: Final[list[Json]] = [
    {
        "uri": "demo://about",
        "name": "about",
        "title": "About this server",
        "description": "What this server is for.",
        "mimeType": "text/markdown",
    }
]
ABOUT: Final = """# The demo server

It ships with mcpfront, so that a new gateway has something to call.
Its tools are `echo`, `add`, `now`, `countdown` and `ask`.
"""

STYLES: Final = ("formal", "friendly", "short")
PROMPT_LIST: Final[list[Json]] = [
    {
        "name": "greeting",
        "title": "Greeting",
        "description": "Ask for a greeting to somebody.",
        "arguments": [
            {"name": "name", "description": "whom to greet", "required": True},
            {"name": "style", "description": f"one of {', '.join(STYLES)}", "required": False},
        ],
    }
]


def read_resource(params: Json) -> Json:
    """Answer ``resources/read``."""
    if params.get("uri") != "demo://about":
        raise RpcError(INVALID_PARAMS, "there is no such resource; the only one is demo://about")
    return {"contents": [{"uri": "demo://about", "mimeType": "text/markdown", "text": ABOUT}]}


def get_prompt(params: Json) -> Json:
    """Answer ``prompts/get``."""
    arguments = params.get("arguments", {})
    if params.get("name") != "greeting":
        raise RpcError(INVALID_PARAMS, "there is no such prompt; the only one is greeting")
    if not isinstance(arguments, dict) or not isinstance(arguments.get("name"), str):
        raise RpcError(INVALID_PARAMS, 'the prompt greeting needs the argument "name"')
    words = f"Write a {arguments.get('style', 'friendly')} greeting to {arguments['name']}."
    return {
        "description": "A greeting to somebody.",
        "messages": [{"role": "user", "content": {"type": "text", "text": words}}],
    }


def complete(params: Json) -> Json:
    """Answer ``completion/complete``: the styles of the prompt ``greeting`` that begin as typed."""
    ref, argument = _member(params, "ref"), _member(params, "argument")
    typed = argument.get("value")
    if not isinstance(typed, str):
        raise RpcError(INVALID_PARAMS, 'completion needs "argument" with "name" and "value"')
    known = ref.get("name") == "greeting" and argument.get("name") == "style"
    values = [style for style in STYLES if style.startswith(typed)] if known else []
    return {"completion": {"values": values, "total": len(values), "hasMore": False}}


def _member(params: Json, name: str) -> Json:
    value = params.get(name)
    if not isinstance(value, dict):
        raise RpcError(INVALID_PARAMS, f'completion needs the object "{name}"')
    return value
