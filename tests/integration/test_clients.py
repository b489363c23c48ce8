"""Real clients call real servers through a real gateway, over both HTTP transports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any, Self

from twisted.trial.unittest import TestCase

from tests.integration.harness import ROOT, TOKEN, Gateway, demo_server, stdio_server
from tests.integration.npm import EVERYTHING, FILESYSTEM, INSPECTOR, NODE, REMOTE, require_npm

PATIENCE = 60.0
AUTHORIZATION = f"Authorization: Bearer {TOKEN}"
PATHS = {"http": "mcp", "sse": "sse"}


def run(command: list[Any], home: Path, lines: str | None = None) -> str:
    """Run a client to its end and return what it printed.

    Raises:
        AssertionError: it failed, or took too long.
    """
    env = {
        **os.environ,
        "HOME": str(home),
        "TOKEN": TOKEN,
        "MCP_REMOTE_CONFIG_DIR": str(home),
        "PATH": f"{NODE.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
    }
    try:
        done = subprocess.run(
            [str(word) for word in command],
            cwd=ROOT,
            env=env,
            input=lines,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
    except subprocess.TimeoutExpired as late:
        raise AssertionError(f"{command[:3]} took too long: {late.stdout!r} {late.stderr!r}") from None
    assert done.returncode == 0, (command, done.returncode, done.stdout, done.stderr)
    return done.stdout


class ClientCase(TestCase):
    """A gateway in front of three servers."""

    timeout = 120

    def setUp(self) -> None:
        """Start the gateway."""
        require_npm()
        folder = tempfile.TemporaryDirectory(prefix="mcpfront-clients-")
        self.addCleanup(folder.cleanup)
        self.home = Path(folder.name)
        files = self.home / "files"
        files.mkdir()
        self.hello = files / "hello.txt"
        self.hello.write_text("hello from a file", encoding="utf-8")
        self.gateway = Gateway(
            {
                "demo": demo_server(),
                "everything": stdio_server(str(NODE), str(EVERYTHING), "stdio"),
                "filesystem": stdio_server(str(NODE), str(FILESYSTEM), str(files)),
            }
        )
        self.addCleanup(self.gateway.close)
        self.gateway.start()
        self.addCleanup(self.gateway.stop)  # cleanups run backwards: it must stop in order, leaving nothing


class Conversations:
    """What every client does with every server; mixed into a case with a way to ``converse``."""

    def check(
        self: Any, server: str, transport: str, tool: str, arguments: dict[str, Any], wanted: str
    ) -> None:
        """Have the client list the tools of a server and call one."""
        url = self.gateway.endpoint(server, PATHS[transport])
        names, text = self.converse(url, transport, tool, arguments)
        self.assertIn(tool, names)
        self.assertIn(wanted, text)

    def test_demo_over_streamable_http(self) -> None:
        """The shipped server is listed and called over Streamable HTTP."""
        self.check("demo", "http", "add", {"a": 2, "b": 3}, "5")

    def test_demo_over_sse(self) -> None:
        """The shipped server is listed and called over HTTP+SSE."""
        self.check("demo", "sse", "add", {"a": 2, "b": 3}, "5")

    def test_everything_over_streamable_http(self) -> None:
        """The npm server-everything is listed and called over Streamable HTTP."""
        self.check("everything", "http", "echo", {"message": "how are you"}, "how are you")

    def test_everything_over_sse(self) -> None:
        """The npm server-everything is listed and called over HTTP+SSE."""
        self.check("everything", "sse", "echo", {"message": "how are you"}, "how are you")

    def test_filesystem_over_streamable_http(self: Any) -> None:
        """The npm server-filesystem is listed and called over Streamable HTTP."""
        self.check("filesystem", "http", "read_text_file", {"path": str(self.hello)}, "hello from a file")

    def test_filesystem_over_sse(self: Any) -> None:
        """The npm server-filesystem is listed and called over HTTP+SSE."""
        self.check("filesystem", "sse", "read_text_file", {"path": str(self.hello)}, "hello from a file")


class PythonClientTests(Conversations, ClientCase):
    """The client of PyPI ``mcp``."""

    def talk(self, url: str, transport: str, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Run the client; return what it reports."""
        module = "tests.integration.mcp_client"
        command = [sys.executable, "-m", module, url, transport, tool, json.dumps(arguments)]
        return json.loads(run(command, self.home))

    def converse(
        self, url: str, transport: str, tool: str, arguments: dict[str, Any]
    ) -> tuple[list[str], str]:
        """List tools and call one."""
        told = self.talk(url, transport, tool, arguments)
        return told["tools"], told["content"][0]

    def test_progress_and_elicitation(self) -> None:
        """Progress and the server's question reach the client in the call, over both transports."""
        for transport, path in PATHS.items():
            url = self.gateway.endpoint("demo", path)
            told = self.talk(url, transport, "countdown", {"from": 3, "interval": 0.05})
            self.assertEqual((told["progress"], told["content"]), ([1, 2, 3], ["3 2 1 0"]))
            told = self.talk(url, transport, "ask", {"question": "who is there?"})
            self.assertEqual(told["content"], ["The answer is: who is there?"])


class RemoteTests(Conversations, ClientCase):
    """The stdio bridge npm ``mcp-remote``."""

    def converse(
        self, url: str, transport: str, tool: str, arguments: dict[str, Any]
    ) -> tuple[list[str], str]:
        """Drive the bridge over its stdin and stdout."""
        command = [
            NODE,
            REMOTE,
            url,
            "--allow-http",
            "--transport",
            f"{transport}-only",
            "--header",
            AUTHORIZATION,
        ]
        client = {"name": "test", "version": "1"}
        start = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client}
        with Bridge([str(word) for word in command], self.home) as bridge:
            bridge.ask("initialize", start)
            bridge.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
            tools = bridge.ask("tools/list", {})["tools"]
            result = bridge.ask("tools/call", {"name": tool, "arguments": arguments})
        return [one["name"] for one in tools], result["content"][0]["text"]


class InspectorTests(Conversations, ClientCase):
    """The command line of npm ``@modelcontextprotocol/inspector``."""

    def converse(
        self, url: str, transport: str, tool: str, arguments: dict[str, Any]
    ) -> tuple[list[str], str]:
        """Run the inspector once for the list and once for the call."""
        command = [NODE, INSPECTOR, "--cli", url, "--transport", transport, "--header", AUTHORIZATION]
        tools = json.loads(run([*command, "--method", "tools/list"], self.home))["tools"]
        pairs = [word for name, value in arguments.items() for word in ("--tool-arg", f"{name}={value}")]
        call = [*command, "--method", "tools/call", "--tool-name", tool, *pairs]
        result = json.loads(run(call, self.home))
        return [one["name"] for one in tools], result["content"][0]["text"]


class Bridge:
    """A client program that speaks JSON-RPC on stdin and stdout.

    Args:
        command: what to start.
        home: its home directory.
    """

    def __init__(self, command: list[str], home: Path) -> None:
        self.errors = (home / "bridge-errors").open("w+b")
        env = {**os.environ, "HOME": str(home), "MCP_REMOTE_CONFIG_DIR": str(home)}
        self.process = subprocess.Popen(
            command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors
        )
        self.count = 0
        self.deadline = threading.Timer(PATIENCE, self.process.kill)
        self.deadline.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stdin.close()
        self.deadline.cancel()
        try:
            self.process.wait(10)
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            self.errors.close()

    def send(self, message: dict[str, Any]) -> None:
        """Write one message."""
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Send a request and return its result."""
        self.count += 1
        self.send({"jsonrpc": "2.0", "id": self.count, "method": method, "params": params})
        while line := self.process.stdout.readline():
            message = json.loads(line)
            if message.get("id") == self.count and "method" not in message:
                assert "result" in message, message
                return message["result"]
        self.errors.seek(0)
        raise AssertionError(f"the client ended: {self.errors.read().decode(errors='replace')[-4000:]}")
