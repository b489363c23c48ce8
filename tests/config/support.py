"""Config files for tests, and what the reader says of them."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from mcpfront.config.load import examine
from mcpfront.config.model import Config, Server

VERSION = "v0.0.1-DEV_EDITION_EXPECT_CHANGES"
ENVIRON = {
    "TOKEN": "t0ken-from-environment",
    "KEY": "k" * 32,
    "SECRET": "client-secret",
    "QUOTED": '"quoted"',
}
OAUTH = {
    "kind": "oauth",
    "issuer": "https://mcp.example.com",
    "idp": {
        "provider": "google",
        "clientId": {"$env": "SECRET"},
        "clientSecret": {"$env": "SECRET"},
        "redirectUri": "https://mcp.example.com/oauth/callback",
    },
    "allowedDomains": ["example.com"],
    "jwtSecret": {"$env": "KEY"},
    "encryptionKey": {"$env": "KEY"},
}
BEARER = {"type": "bearer", "tokens": [{"$env": "TOKEN"}]}
STDIO = {"transportType": "stdio", "command": "server", "serviceAuths": [BEARER]}
REMOTE = {"transportType": "streamable-http", "url": "https://up.example.com/mcp", "serviceAuths": [BEARER]}
MANUAL = {"type": "manual", "displayName": "Service", "instructions": "Ask for it"}
ERROR, WARNING, NOTE = "error", "warning", "note"
SERVER = "mcpServers.files"
Found = list[tuple[str, str]]


def file(**servers: Any) -> dict[str, Any]:
    """Return a good config with these servers, or with one of its own."""
    return copy.deepcopy(
        {
            "version": VERSION,
            "proxy": {"baseURL": "https://mcp.example.com", "addr": ":8080"},
            "mcpServers": servers or {"files": STDIO},
        }
    )


def with_proxy(**members: Any) -> dict[str, Any]:
    """Return a good config with these members of ``proxy``."""
    value = file()
    value["proxy"].update(copy.deepcopy(members))
    return value


def with_server(base: Mapping[str, Any] = STDIO, **members: Any) -> dict[str, Any]:
    """Return a good config whose one server has these members."""
    return file(files={**base, **members})


def with_auth(**members: Any) -> dict[str, Any]:
    """Return a good config with sign-in, changed by these members of ``proxy.auth``."""
    return with_proxy(auth={**OAUTH, **members})


def found(value: Any, environ: Mapping[str, str] | None = ENVIRON) -> Found:
    """Return severity and path of everything that is found in a config."""
    return [(problem.severity, problem.path) for problem in examine(json.dumps(value).encode(), environ)[1]]


def loaded(value: Any, environ: Mapping[str, str] | None = ENVIRON) -> Config:
    """Return a config that has no errors."""
    config, problems = examine(json.dumps(value).encode(), environ)
    assert config is not None, problems
    return config


def loaded_server(**members: Any) -> Server:
    """Return the one server of a config that has no errors."""
    return loaded(with_server(**members)).mcp_servers["files"]


def messages(value: Any, environ: Mapping[str, str] | None = ENVIRON) -> str:
    """Return all that is said of a config."""
    return "\n".join(str(problem) for problem in examine(json.dumps(value).encode(), environ)[1])


class CheckCase(SynchronousTestCase):
    """Compares what is found, notes left out unless asked for."""

    def expect(self, value: Any, *wanted: tuple[str, str], notes: bool = False) -> None:
        """Compare what is found with what is wanted."""
        told = [problem for problem in found(value) if notes or problem[0] != NOTE]
        self.assertEqual(sorted(told), sorted(wanted), value)
