"""The server that the official conformance suite meets behind the gateway: PyPI ``mcp``, on stdio.

``python -m tests.conformance.fixture`` serves stdio; with ``--port PORT`` it serves Streamable HTTP on
loopback, and then the suite can be run against the fixture without a gateway between.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import warnings
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import mcp_types as types
from mcp.server import Server, ServerRequestContext
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPDeprecationWarning, MCPError

from tests.conformance import data

Context = ServerRequestContext[Any]
Tool = Callable[[Context, dict[str, Any]], Awaitable[str]]


async def with_logging(context: Context, _arguments: dict[str, Any]) -> str:
    """Send three log messages, with pauses."""
    for number, words in enumerate(("started", "processing data", "completed")):
        await anyio.sleep(data.PAUSE if number else 0)
        text = f"Tool {words}" if number == 1 else f"Tool execution {words}"
        await context.session.send_log_message("info", text, related_request_id=context.request_id)
    return "Three log messages were sent."


async def with_progress(context: Context, _arguments: dict[str, Any]) -> str:
    """Tell progress three times, with pauses."""
    for done in (0, 50, 100):
        await anyio.sleep(data.PAUSE if done else 0)
        await context.session.report_progress(done, 100)
    return "Progress was told three times."


async def sampling(context: Context, arguments: dict[str, Any]) -> str:
    """Have the client's model answer the prompt."""
    content = types.TextContent(type="text", text=arguments["prompt"])
    message = types.SamplingMessage(role="user", content=content)
    result = await context.session.create_message(
        [message], max_tokens=100, related_request_id=context.request_id
    )
    return f"LLM response: {getattr(result.content, 'text', result.content)}"


def elicitation(name: str) -> Tool:
    """Make the tool that asks by one of the forms."""

    async def ask(context: Context, arguments: dict[str, Any]) -> str:
        message = arguments.get("message", "Please fill in the form.")
        schema = data.ELICITATIONS[name]
        result = await context.session.elicit_form(message, schema, context.request_id)
        content = json.dumps(result.content)
        if name == "test_elicitation":
            return f"User response: action: {result.action}, content: {content}"
        return f"Elicitation completed: action={result.action}, content={content}"

    return ask


ACTIVE: dict[str, Tool] = {
    "test_tool_with_logging": with_logging,
    "test_tool_with_progress": with_progress,
    "test_sampling": sampling,
    **{name: elicitation(name) for name in data.ELICITATIONS},
}
"""The tools that talk to the client while they run."""


async def list_tools(_context: Context, _params: Any) -> types.ListToolsResult:
    """Answer ``tools/list``."""
    tools = [
        types.Tool(name=name, description=description, input_schema=schema)
        for name, (description, schema) in data.TOOLS.items()
    ]
    return types.ListToolsResult(tools=tools)


async def call_tool(context: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
    """Answer ``tools/call``."""
    if params.name in data.ANSWERS:
        return types.CallToolResult.model_validate({"content": data.ANSWERS[params.name]})
    if params.name in ACTIVE:
        return _text(await ACTIVE[params.name](context, params.arguments or {}))
    if params.name == "test_error_handling":
        return _text("This tool intentionally returns an error for testing", failed=True)
    raise MCPError(types.INVALID_PARAMS, f"there is no tool {params.name}")


def _text(words: str, *, failed: bool = False) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=words)], is_error=failed)


async def list_resources(_context: Context, _params: Any) -> types.ListResourcesResult:
    """Answer ``resources/list``."""
    resources = [
        types.Resource(uri=uri, name=uri[7:], description="A fixture.", mime_type=content["mimeType"])
        for uri, content in data.RESOURCES.items()
    ]
    return types.ListResourcesResult(resources=resources)


async def list_templates(_context: Context, _params: Any) -> types.ListResourceTemplatesResult:
    """Answer ``resources/templates/list``."""
    template = types.ResourceTemplate(
        uri_template=data.TEMPLATE, name="template", description="A fixture.", mime_type="application/json"
    )
    return types.ListResourceTemplatesResult(resource_templates=[template])


async def read_resource(
    _context: Context, params: types.ReadResourceRequestParams
) -> types.ReadResourceResult:
    """Answer ``resources/read``."""
    uri = str(params.uri)
    content = data.RESOURCES.get(uri)
    filled = re.fullmatch(re.escape(data.TEMPLATE).replace(r"\{id\}", "([^/]+)"), uri)
    if filled:
        values = {"id": filled[1], "templateTest": True, "data": f"Data for ID: {filled[1]}"}
        content = {"mimeType": "application/json", "text": json.dumps(values)}
    if content is None:
        raise MCPError(types.INVALID_PARAMS, "Resource not found", {"uri": uri})
    return types.ReadResourceResult.model_validate({"contents": [{"uri": uri, **content}]})


async def subscribe(_context: Context, _params: types.SubscribeRequestParams) -> types.EmptyResult:
    """Answer ``resources/subscribe``: nothing here ever changes."""
    return types.EmptyResult()


async def unsubscribe(_context: Context, _params: types.UnsubscribeRequestParams) -> types.EmptyResult:
    """Answer ``resources/unsubscribe``."""
    return types.EmptyResult()


async def list_prompts(_context: Context, _params: Any) -> types.ListPromptsResult:
    """Answer ``prompts/list``."""
    prompts = [
        types.Prompt(
            name=name,
            description=description,
            arguments=[
                types.PromptArgument(name=argument, description="An argument.", required=True)
                for argument in arguments
            ],
        )
        for name, (description, arguments) in data.PROMPTS.items()
    ]
    return types.ListPromptsResult(prompts=prompts)


async def get_prompt(_context: Context, params: types.GetPromptRequestParams) -> types.GetPromptResult:
    """Answer ``prompts/get``."""
    try:
        contents = data.prompt_messages(params.name, params.arguments or {})
    except KeyError as missing:
        raise MCPError(types.INVALID_PARAMS, f"there is no prompt or argument {missing}") from None
    messages = [{"role": "user", "content": content} for content in contents]
    return types.GetPromptResult.model_validate({"messages": messages})


async def complete(_context: Context, params: types.CompleteRequestParams) -> types.CompleteResult:
    """Answer ``completion/complete``."""
    values = [word for word in ("paris", "park", "party") if word.startswith(params.argument.value)]
    return types.CompleteResult(completion=types.Completion(values=values, total=len(values), has_more=False))


async def set_level(_context: Context, _params: types.SetLevelRequestParams) -> types.EmptyResult:
    """Answer ``logging/setLevel``."""
    return types.EmptyResult()


def server() -> Server[Any]:
    """Build the fixture."""
    return Server(
        "conformance-fixture",
        version="1.0.0",
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_resources=list_resources,
        on_list_resource_templates=list_templates,
        on_read_resource=read_resource,
        on_subscribe_resource=subscribe,
        on_unsubscribe_resource=unsubscribe,
        on_list_prompts=list_prompts,
        on_get_prompt=get_prompt,
        on_completion=complete,
        on_set_logging_level=set_level,
    )


async def serve_stdio() -> None:
    """Serve until stdin ends."""
    fixture = server()
    async with stdio_server() as (incoming, outgoing):
        await fixture.run(incoming, outgoing, fixture.create_initialization_options())


def main() -> int:
    """Serve by the transport that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, help="serve Streamable HTTP on this port of 127.0.0.1")
    port = parser.parse_args().port
    warnings.simplefilter("ignore", MCPDeprecationWarning)  # older revisions are what the suite asks for
    if port is None:
        anyio.run(serve_stdio)
    else:
        import uvicorn

        uvicorn.run(server().streamable_http_app(), host="127.0.0.1", port=port, log_level="warning")
    return 0


if __name__ == "__main__":
    sys.exit(main())
