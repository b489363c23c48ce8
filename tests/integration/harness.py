"""A real gateway process for tests: started on a free port, asked, stopped, and searched for what it left."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.integration.processes import Process, descendants, survivors

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "integration-0123456789abcdef"
START_TIME = 30.0
STOP_TIME = 10.0
INITIALIZE = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "harness", "version": "1"},
}


def stdio_server(command: str, *args: str, **members: Any) -> dict[str, Any]:
    """Return the config of a stdio server that takes the bearer token ``TOKEN``."""
    auth = [{"type": "bearer", "tokens": [TOKEN]}]
    return {
        "transportType": "stdio",
        "command": command,
        "args": list(args),
        "serviceAuths": auth,
        **members,
    }


def demo_server(**members: Any) -> dict[str, Any]:
    """Return the config of the demo server that ships with the package."""
    return stdio_server(sys.executable, "-m", "mcpfront", "demo", cwd=str(ROOT), **members)


def free_port() -> int:
    """Return a port of 127.0.0.1 on which nothing listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_for(true: Callable[[], object], seconds: float, what: str) -> None:
    """Wait until a condition holds.

    Raises:
        AssertionError: it does not within the time.
    """
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen within {seconds:g} s")
        time.sleep(0.02)


class Gateway:
    """One gateway process.

    Args:
        servers: the ``mcpServers`` of its config.
        proxy: members of the config's ``proxy`` beside ``baseURL`` and ``addr``.
        base_path: the path of ``baseURL``, such as ``/x``.
        environ: environment variables beside this process's own.
        command: what to start in front of the config's path, ``python -m mcpfront run`` when not given.
    """

    def __init__(
        self,
        servers: dict[str, dict[str, Any]],
        *,
        proxy: dict[str, Any] | None = None,
        base_path: str = "",
        environ: dict[str, str] | None = None,
        command: list[str] | None = None,
    ) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}{base_path}"
        self.folder = Path(tempfile.mkdtemp(prefix="mcpfront-test-"))
        self.config = self.folder / "config.json"
        self.log_file = self.folder / "log"
        self.process: subprocess.Popen[bytes] | None = None
        self._base_path = base_path
        self._environ = {**os.environ, "LOG_FORMAT": "json", "PYTHONUNBUFFERED": "1", **(environ or {})}
        self._command = command or [sys.executable, "-m", "mcpfront", "run"]
        config = {
            "version": "v0.0.1-DEV_EDITION",
            "proxy": {"baseURL": self.url, "addr": f"127.0.0.1:{self.port}", "name": "test", **(proxy or {})},
            "mcpServers": servers,
        }
        self.config.write_text(json.dumps(config, indent=2), encoding="utf-8")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.stop()
        finally:
            self.close()

    @property
    def pid(self) -> int:
        """The number of the gateway's process."""
        assert self.process is not None
        return self.process.pid

    def launch(self) -> None:
        """Start the process and wait for nothing."""
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [*self._command, str(self.config)],
                cwd=ROOT,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def start(self) -> None:
        """Start the process and wait until it is healthy.

        Raises:
            AssertionError: it ended, or was not healthy in time; with its log.
        """
        self.launch()
        deadline = time.monotonic() + START_TIME
        while not self.healthy():
            if self.process is None or self.process.poll() is not None or time.monotonic() > deadline:
                text = self.text()
                self.close()
                raise AssertionError(f"the gateway did not start:\n{text}")
            time.sleep(0.02)

    def healthy(self) -> bool:
        """Tell whether ``/health`` answers."""
        try:
            return self.request("GET", "/health", token=None).status == http.client.OK
        except OSError:
            return False

    def stop(self, seconds: float = STOP_TIME) -> float:
        """Send SIGTERM; the gateway must exit with 0 in time and leave no process behind.

        Returns:
            How many seconds it took.
        """
        assert self.process is not None
        family = descendants(self.pid)
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the gateway did not stop in {seconds:g} s:\n{self.text()}") from None
        took = time.monotonic() - begun
        assert code == 0, f"the gateway ended with {code}:\n{self.text()}"
        left = survivors(family)
        assert not left, f"left behind: {left}\n{self.text()}"
        return took

    def close(self) -> None:
        """End what still runs and remove the folder; for cleanups."""
        if self.process is not None:
            family = descendants(self.pid) if self.process.poll() is None else []
            self.process.kill()
            self.process.wait(STOP_TIME)
            for one in survivors(family):
                _kill(one)
        shutil.rmtree(self.folder, ignore_errors=True)

    def family(self) -> list[Process]:
        """Return the processes that the gateway has started and their descendants."""
        return descendants(self.pid)

    def text(self) -> str:
        """Return everything the gateway has printed."""
        return self.log_file.read_text(encoding="utf-8", errors="replace") if self.log_file.exists() else ""

    def log(self) -> list[dict[str, Any]]:
        """Return the gateway's log lines, parsed."""
        return [json.loads(line) for line in self.text().splitlines() if line.startswith("{")]

    def endpoint(self, server: str, path: str = "mcp") -> str:
        """Return the URL of a server's endpoint."""
        return f"{self.url}/{server}/{path}"

    def request(
        self,
        method: str,
        path: str,
        message: object = None,
        *,
        token: str | None = TOKEN,
        headers: dict[str, str] | None = None,
        timeout: float = 30.0,
    ) -> Answer:
        """Send one HTTP request and read its whole answer.

        Args:
            method: the HTTP method.
            path: the path after the base path.
            message: the body, to be written as JSON; none when it is None.
            token: the bearer token.
            headers: more headers.
            timeout: seconds that the answer may be silent.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        sent = {"Accept": "application/json, text/event-stream", **(headers or {})}
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        body = None if message is None else json.dumps(message)
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        try:
            connection.request(method, self._base_path + path, body, sent)
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def session(self, server: str) -> Session:
        """Do the handshake with a server over Streamable HTTP."""
        return Session(self, f"/{server}/mcp")


class Answer:
    """An HTTP answer.

    Attributes:
        status: the status.
        headers: the headers, names in lower case.
        body: the whole body.
    """

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    def messages(self) -> list[Any]:
        """Return the JSON-RPC messages of the body, whether JSON or an event stream."""
        if not self.headers.get("content-type", "").startswith("text/event-stream"):
            return [json.loads(self.body)]
        lines = self.body.decode().splitlines()
        return [json.loads(line[5:]) for line in lines if line.startswith("data:") and line[5:].strip()]

    def message(self) -> Any:
        """Return the last message of the body, which is the response."""
        return self.messages()[-1]


class Session:
    """One MCP session over Streamable HTTP, begun by the handshake.

    Args:
        gateway: where.
        path: the endpoint's path.
    """

    def __init__(self, gateway: Gateway, path: str) -> None:
        self.gateway = gateway
        self.path = path
        self.headers: dict[str, str] = {}
        answer = self.send({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": INITIALIZE})
        assert answer.status == http.client.OK, (answer.status, answer.body)
        self.initialized = answer.message()["result"]
        self.headers["Mcp-Protocol-Version"] = self.initialized["protocolVersion"]
        if "mcp-session-id" in answer.headers:
            self.headers["Mcp-Session-Id"] = answer.headers["mcp-session-id"]
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def send(self, message: object, timeout: float = 30.0) -> Answer:
        """POST a message."""
        return self.gateway.request("POST", self.path, message, headers=self.headers, timeout=timeout)

    def call(self, method: str, params: object = None, id: object = 1, timeout: float = 30.0) -> Any:
        """Send a request and return its response."""
        message = {"jsonrpc": "2.0", "id": id, "method": method, "params": params or {}}
        return self.send(message, timeout).message()

    def end(self) -> Answer:
        """DELETE the session."""
        return self.gateway.request("DELETE", self.path, headers=self.headers)


def _kill(process: Process) -> None:
    try:
        os.kill(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
