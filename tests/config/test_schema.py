"""The JSON Schema, which editors use: it agrees with the reader."""

from __future__ import annotations

import json

from jsonschema import Draft202012Validator
from twisted.trial.unittest import SynchronousTestCase

from mcpfront.config.schema import schema
from tests.config.support import (
    BEARER,
    ERROR,
    MANUAL,
    REMOTE,
    STDIO,
    file,
    found,
    with_auth,
    with_proxy,
    with_server,
)

TOOL = {
    "name": "t",
    "command": "echo",
    "args": [{"$env": "TOKEN"}],
    "inputSchema": {"type": "object"},
    "timeout": "1s",
}
GOOD = (
    file(),
    file(files=REMOTE),
    file(
        files={
            "transportType": "inline",
            "inline": {"description": "d", "tools": [TOOL]},
            "serviceAuths": [BEARER],
        }
    ),
    file(
        all={"type": "aggregate", "servers": ["files"], "delimiter": "-", "discovery": {"timeout": "1s"}},
        files=STDIO,
    ),
    with_auth(storage="memory", tokenTtl="24h"),
    with_server(args=["x", {"$env": "TOKEN"}, {"$userToken": "{{token}}"}], env={"A": "b"}, timeout="1h30m"),
    with_server(
        userAuthentication=MANUAL, isolation="user", options={"toolFilter": {"mode": "allow", "list": ["a"]}}
    ),
    with_proxy(sessions={"timeout": "5m"}, limits={"body": 4096, "drain": "0"}, allowedHosts=["a.example"]),
    {"$schema": "x", **file()},
)
BAD = (
    [],
    {},
    file(files=None),
    file(token=STDIO),
    file(**{"a.b": STDIO}),
    with_server(timeout=30),
    with_server(timeout="1d"),
    with_server(warm=-1),
    with_server(command={"$userToken": "{{token}}"}),
    with_server(isolation="none"),
    with_server(serviceAuths=[{"type": "digest"}]),
    with_auth(jwtSecret="literal"),
    with_auth(storage="redis"),
    with_proxy(auth=None),
    file(files={"transportType": "stdio"}),
    file(files={"transportType": "sse"}),
)


class SchemaTests(SynchronousTestCase):
    """What the schema takes and refuses."""

    def test_is_a_schema(self) -> None:
        """It is a schema of draft 2020-12 and JSON."""
        Draft202012Validator.check_schema(schema())
        self.assertEqual(json.loads(json.dumps(schema())), schema())

    def test_good(self) -> None:
        """What the reader takes, the schema takes."""
        for value in GOOD:
            self.assertNotIn(ERROR, {severity for severity, _ in found(value)}, value)
            self.assertEqual([str(error) for error in Draft202012Validator(schema()).iter_errors(value)], [])

    def test_bad(self) -> None:
        """What the schema refuses, the reader refuses."""
        for value in BAD:
            self.assertIn(ERROR, {severity for severity, _ in found(value)}, value)
            self.assertFalse(Draft202012Validator(schema()).is_valid(value), value)

    def test_every_key_is_described(self) -> None:
        """Editors have a sentence for every key."""
        sections = [schema(), *schema()["$defs"].values()]
        for section in sections:
            for name, value in section.get("properties", {}).items():
                if not name.startswith("$"):
                    self.assertTrue(value["description"].endswith("."), f"{section['description']} {name}")
