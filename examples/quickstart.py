# ruff: noqa: INP001, T201 - a script that talks to the person who started it
"""Start a gateway with the demo server behind it and say how to call it: what ``make run`` does.

``PORT`` chooses the port, ``MCPFRONT_TOKEN`` the token; without them the config's port and a random token.
"""

from __future__ import annotations

import json
import math
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

CONFIG = Path(__file__).with_name("quickstart.json")
PATIENCE = 20.0


def main() -> int:
    """Run the gateway until it ends; return its exit code."""
    token = os.environ.get("MCPFRONT_TOKEN") or secrets.token_urlsafe(24)
    with tempfile.TemporaryDirectory(prefix="mcpfront-") as folder:
        config, url = configure(Path(folder))
        gateway = start(config, token)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: gateway.poll() is None and gateway.terminate())
        if wait_healthy(gateway, f"{url}/health"):
            say(f"{url}/quickstart/mcp", token)
        return gateway.wait()


def configure(folder: Path) -> tuple[Path, str]:
    """Return the config to run and its base URL; with ``PORT`` a copy that has this port."""
    config = json.loads(CONFIG.read_text(encoding="utf-8"))
    proxy, port = config["proxy"], os.environ.get("PORT")
    if not port:
        return CONFIG, proxy["baseURL"]
    proxy["addr"], proxy["baseURL"] = f"127.0.0.1:{port}", f"http://127.0.0.1:{port}"
    copy = folder / CONFIG.name
    copy.write_text(json.dumps(config), encoding="utf-8")
    return copy, proxy["baseURL"]


def start(config: Path, token: str) -> subprocess.Popen[bytes]:
    """Start the gateway, with this environment's programs first on its path.

    It gets a process group of its own: Ctrl-C then reaches it once, through this program.
    """
    programs = str(Path(sys.executable).parent)
    path = os.pathsep.join((programs, os.environ.get("PATH", os.defpath)))
    env = {**os.environ, "MCPFRONT_TOKEN": token, "PATH": path}
    return subprocess.Popen([sys.executable, "-m", "mcpfront", "run", str(config)], env=env, process_group=0)


def wait_healthy(gateway: subprocess.Popen[bytes], url: str) -> bool:
    """Wait until the gateway answers, and tell whether it does; it has said itself why it ended."""
    begun = time.monotonic()
    while time.monotonic() < begun + PATIENCE and gateway.poll() is None:
        if uptime(url) < time.monotonic() - begun:
            return gateway.poll() is None
        time.sleep(0.05)
    if gateway.poll() is None:
        print(f"the gateway is not healthy after {PATIENCE:g} s", file=sys.stderr)
        gateway.terminate()
    return False


def uptime(url: str) -> float:
    """Return for how many seconds the gateway at a URL runs, infinity when none answers.

    A gateway older than ours holds our port: it is not ours, which is about to say so and to end.
    """
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - the config's own URL, on loopback
            return float(json.load(answer)["uptime"])
    except (OSError, ValueError, KeyError):
        return math.inf


def say(url: str, token: str) -> None:
    """Print where the gateway is and how a client calls it."""
    header = f'"Authorization: Bearer {token}"'
    add = {"name": "add", "arguments": {"a": 2, "b": 3}}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": add})
    print(
        f"""
The gateway is up, with one server behind it.

  URL    {url}
  token  {token}

Claude Code:
  claude mcp add --transport http quickstart {url} --header {header}

A tool call with curl:
  curl -sS {url} -H {header} -H 'Content-Type: application/json' \\
    -H 'Accept: application/json, text/event-stream' -d '{body}'

The MCP inspector:
  npx @modelcontextprotocol/inspector --cli {url} --transport http --header {header} --method tools/list

Ctrl-C stops it.
""",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
