"""Rules across keys: tables of configs and of what is found in them."""

from __future__ import annotations

from typing import Any

from mcpfront.config.check import RESERVED
from tests.config.support import (
    BEARER,
    ENVIRON,
    ERROR,
    MANUAL,
    NOTE,
    REMOTE,
    SERVER,
    STDIO,
    WARNING,
    CheckCase,
    file,
    found,
    loaded,
    loaded_server,
    messages,
    with_auth,
    with_proxy,
    with_server,
)


class ProxyTests(CheckCase):
    """``version`` and ``proxy``."""

    def test_version(self) -> None:
        """The format's version has a known beginning."""
        self.expect({**file(), "version": "v0.0.1-DEV_EDITION"})
        self.expect({**file(), "version": "v0.0.2"}, (ERROR, "version"))
        self.expect({**file(), "version": 1}, (ERROR, "version"))

    def test_addresses(self) -> None:
        """URLs, listen addresses, hosts and origins are checked."""
        self.expect(
            with_proxy(
                baseURL="mcp.example.com",
                addr="x",
                allowedHosts=["a.example", "http://b"],
                allowedOrigins=["*", "x"],
            ),
            (ERROR, "proxy.baseURL"),
            (ERROR, "proxy.addr"),
            (ERROR, "proxy.allowedHosts[1]"),
            (ERROR, "proxy.allowedOrigins[1]"),
        )

    def test_sessions(self) -> None:
        """A sweep rarer than the timeout is a warning, no limit is a note."""
        self.expect(
            with_proxy(sessions={"timeout": "1m", "cleanupInterval": "2m"}), (WARNING, "proxy.sessions")
        )
        self.expect(with_proxy(sessions={"maxPerUser": 0}), (NOTE, "proxy.sessions.maxPerUser"), notes=True)
        self.expect(with_proxy(sessions={"maxPerUser": -1}), (ERROR, "proxy.sessions.maxPerUser"))

    def test_limits(self) -> None:
        """The smaller cap is the smaller one; a wait has an end."""
        self.expect(
            with_proxy(limits={"body": 2048, "bodyUnauthenticated": 4096}),
            (WARNING, "proxy.limits.bodyUnauthenticated"),
        )
        self.expect(with_proxy(limits={"headerTimeout": "0"}), (ERROR, "proxy.limits.headerTimeout"))
        self.expect(with_proxy(limits={"body": 1}), (ERROR, "proxy.limits.body"))

    def test_no_servers(self) -> None:
        """A file without a single server is noted."""
        self.expect({**file(), "mcpServers": {}}, (NOTE, "mcpServers"), notes=True)


class AuthTests(CheckCase):
    """``proxy.auth``."""

    def test_good(self) -> None:
        """A whole section is fine, and noted as not served."""
        self.expect(with_auth(), (NOTE, "proxy.auth"), notes=True)
        auth = loaded(with_auth(storage="", tokenTtl="24h", allowedOrigins=["https://claude.ai"])).proxy.auth
        self.assertEqual(
            (auth.storage, auth.token_ttl, auth.refresh_token_ttl), ("memory", 86400.0, 2592000.0)
        )
        self.assertEqual(loaded(with_auth(allowedOrigins=["*"])).proxy.origins, ["*"])

    def test_bad(self) -> None:
        """Each rule of the section is told at its key."""
        for members, *wanted in (
            ({"kind": "saml"}, (ERROR, "kind")),
            ({"kind": None}, (ERROR, "kind")),
            ({"issuer": "x"}, (ERROR, "issuer")),
            ({"allowedDomains": []}, (ERROR, "allowedDomains")),
            (
                {"allowedDomains": ["a@example.com", ""]},
                (ERROR, "allowedDomains[0]"),
                (ERROR, "allowedDomains[1]"),
            ),
            ({"tokenTtl": "0"}, (ERROR, "tokenTtl")),
            ({"refreshTokenTtl": "-1h"}, (ERROR, "refreshTokenTtl")),
            ({"storage": "redis"}, (ERROR, "storage")),
            ({"storage": "firestore"}, (ERROR, "gcpProject")),
            ({"storage": "firestore", "gcpProject": 5}, (ERROR, "gcpProject")),
            ({"jwtSecret": "k" * 32}, (ERROR, "jwtSecret")),
            ({"encryptionKey": {"$userToken": "{{token}}"}}, (ERROR, "encryptionKey")),
            ({"jwtSecret": {"$env": "SECRET"}}, (ERROR, "jwtSecret")),
            ({"encryptionKey": {"$env": "SECRET"}}, (ERROR, "encryptionKey")),
            ({"encryptionKey": None}, (ERROR, "encryptionKey")),
            ({"idp": None}, (ERROR, "idp")),
            ({"idp": []}, (ERROR, "idp")),
            ({"allowedOrigins": ["x"]}, (ERROR, "allowedOrigins[0]")),
            ({"dangerouslyAcceptIssuerAudience": 1}, (ERROR, "dangerouslyAcceptIssuerAudience")),
        ):
            self.expect(
                with_auth(**members), *((severity, f"proxy.auth.{path}") for severity, path in wanted)
            )

    def test_key_lengths_unknown(self) -> None:
        """Without an environment the lengths of keys are not judged."""
        self.assertEqual([problem for problem in found(with_auth(), None) if problem[0] != NOTE], [])

    def test_identity_provider(self) -> None:
        """Each provider has what it needs."""
        base = with_auth()["proxy"]["auth"]["idp"]
        for members, *wanted in (
            ({"provider": "okta"}, (ERROR, "provider")),
            ({"provider": "azure"}, (ERROR, "tenantId")),
            ({"provider": "azure", "tenantId": "t"},),
            (
                {
                    "provider": "oidc",
                    "discoveryUrl": "https://id.example.com/.well-known/openid-configuration",
                },
            ),
            ({"provider": "oidc"}, (ERROR, "authorizationUrl"), (ERROR, "tokenUrl"), (ERROR, "userInfoUrl")),
            (
                {"provider": "oidc", "tokenUrl": "x", "discoveryUrl": "https://id.example.com"},
                (ERROR, "tokenUrl"),
            ),
            ({"clientSecret": "literal"}, (ERROR, "clientSecret")),
            ({"clientId": ""}, (ERROR, "clientId")),
            ({"redirectUri": "x"}, (ERROR, "redirectUri")),
            ({"allowedOrgs": ["org"]}, (WARNING, "allowedOrgs")),
            ({"provider": "github", "allowedOrgs": ["org"]},),
        ):
            self.expect(
                with_auth(idp={**base, **members}),
                *((severity, f"proxy.auth.idp.{path}") for severity, path in wanted),
            )


class ServerTests(CheckCase):
    """Servers of type direct."""

    def test_names(self) -> None:
        """A name is part of a URL, and not one of the gateway's own pages."""
        for name in ("a", "A-b_3", "3d"):
            self.expect(file(**{name: STDIO}))
        for name in ("", "-a", "a.b", "a/b", "ä", "a b", "x" * 200, *RESERVED):
            self.assertEqual([severity for severity, _ in found(file(**{name: STDIO}))], [ERROR], name)
        self.assertIn("reserved", messages(file(**{".well-known": STDIO})))

    def test_transports(self) -> None:
        """Each transport has its keys; others are told."""
        bare = {"serviceAuths": [BEARER]}
        for members, *wanted in (
            ({}, (ERROR, "transportType")),
            ({"transportType": "http"}, (ERROR, "transportType")),
            ({"type": "agregate", "transportType": "stdio"}, (ERROR, "type")),
            ({"transportType": "stdio"}, (ERROR, "command")),
            ({"transportType": "stdio", "command": ""}, (ERROR, "command")),
            ({"transportType": "stdio", "command": "x", "url": "https://a.example"}, (ERROR, "url")),
            ({"transportType": "stdio", "command": "x", "headers": {}}, (WARNING, "headers")),
            ({"transportType": "stdio", "command": "x", "delimiter": "."}, (WARNING, "delimiter")),
            ({"transportType": "sse"}, (ERROR, "url")),
            ({"transportType": "sse", "url": "x"}, (ERROR, "url")),
            ({"transportType": "sse", "url": "https://a.example", "command": "x"}, (ERROR, "command")),
            ({"transportType": "sse", "url": "https://a.example", "warm": 1}, (WARNING, "warm")),
            ({"transportType": "inline"}, (ERROR, "inline")),
            ({"transportType": "inline", "inline": {}}, (WARNING, "inline.tools")),
            ({"transportType": "inline", "inline": {"tools": [5]}}, (ERROR, "inline.tools[0]")),
        ):
            self.expect(
                file(files={**bare, **members}),
                *((severity, f"{SERVER}.{path}") for severity, path in wanted),
            )

    def test_not_served(self) -> None:
        """What this version does not serve is a note, not an error."""
        self.expect(file(files=REMOTE), (NOTE, f"{SERVER}.transportType"), notes=True)

    def test_open(self) -> None:
        """A server that asks nobody is noted by its name."""
        self.expect(file(files={"transportType": "stdio", "command": "x"}), (NOTE, SERVER), notes=True)

    def test_stdio(self) -> None:
        """Directories are absolute, names of variables are names."""
        self.expect(with_server(cwd="/srv", env={"A": "b"}, envPassthrough=["HTTP_PROXY"]))
        self.expect(with_server(cwd="srv"), (ERROR, f"{SERVER}.cwd"))
        self.expect(
            with_server(env={"A=B": "x", "": "y"}),
            (ERROR, f"{SERVER}.env.'A=B'"),
            (ERROR, f"{SERVER}.env.''"),
        )
        self.expect(with_server(envPassthrough=["A", ""]), (ERROR, f"{SERVER}.envPassthrough[1]"))
        self.expect(with_server(handshakeTimeout="0"), (ERROR, f"{SERVER}.handshakeTimeout"))
        self.expect(with_server(command="npx -y x"), (NOTE, f"{SERVER}.command"), notes=True)

    def test_sharing(self) -> None:
        """A process that knows one user's token serves nobody else."""
        personal: dict[str, Any] = {"requiresUserToken": True, "userAuthentication": MANUAL}
        for members, *wanted in (
            ({"isolation": "shared"},),
            ({"isolation": "user"},),
            ({"warm": 2},),
            ({"warm": 2, "isolation": "user"}, (ERROR, "warm")),
            ({"warm": 2, **personal}, (ERROR, "warm")),
            ({"isolation": "shared", **personal}, (ERROR, "isolation")),
            ({"isolation": "user", **personal},),
        ):
            value = with_auth()
            value["mcpServers"]["files"].update(members)
            self.expect(value, *((severity, f"{SERVER}.{path}") for severity, path in wanted))

    def test_sharing_by_template(self) -> None:
        """A user's token in an argument or a variable is found without requiresUserToken."""
        for members in ({"args": [{"$userToken": "{{token}}"}]}, {"env": {"T": {"$userToken": "{{token}}"}}}):
            told = found(with_server(isolation="shared", warm=1, **members))
            self.assertIn((ERROR, f"{SERVER}.isolation"), told)
            self.assertIn((ERROR, f"{SERVER}.warm"), told)

    def test_isolation_of_strangers(self) -> None:
        """On an open server users cannot be told apart."""
        self.expect(
            file(files={"transportType": "stdio", "command": "x", "isolation": "user"}),
            (WARNING, f"{SERVER}.isolation"),
        )

    def test_remote(self) -> None:
        """Headers can be sent, and no user chooses the host."""
        for members, *wanted in (
            ({"headers": {"X-Key": {"$env": "TOKEN"}}},),
            ({"headers": {"X Key": "x", "X-B": "a\nb"}}, (ERROR, "headers.'X Key'"), (ERROR, "headers.X-B")),
            ({"url": "https://u:p@a.example"}, (ERROR, "url")),
            ({"url": {"$userToken": "https://{{token}}.example"}}, (ERROR, "url"), (WARNING, "url")),
            ({"url": {"$userToken": "https://a.example/?k={{token}}"}}, (WARNING, "url")),
            ({"timeout": "-1s"}, (ERROR, "timeout")),
        ):
            self.expect(
                with_server(REMOTE, **members), *((severity, f"{SERVER}.{path}") for severity, path in wanted)
            )

    def test_inline(self) -> None:
        """Tools have names of their own, commands and schemas that are objects."""
        tool = {"name": "t", "command": "echo"}
        for tools, *wanted in (
            ([tool],),
            ([tool, tool], (ERROR, "[1].name")),
            ([{**tool, "name": ""}], (ERROR, "[0].name")),
            ([{"name": "t"}], (ERROR, "[0].command")),
            ([{**tool, "inputSchema": []}], (ERROR, "[0].inputSchema")),
            ([{**tool, "timeout": "soon"}], (ERROR, "[0].timeout")),
            ([{**tool, "args": [{"$userToken": "{{token}}"}]}], (ERROR, "[0].args[0]")),
            ([{**tool, "env": {"=": "x"}}], (ERROR, "[0].env.'='")),
            ([{**tool, "inputSchema": {"type": "object", "properties": {"$HOME": {}}}}],),
        ):
            value = file(
                files={"transportType": "inline", "inline": {"tools": tools}, "serviceAuths": [BEARER]}
            )
            self.expect(value, *((severity, f"{SERVER}.inline.tools{path}") for severity, path in wanted))

    def test_filter(self) -> None:
        """A filter says what it does; one that filters nothing is none."""
        for chosen, *wanted in (
            ({"mode": "allow", "list": ["a"]},),
            ({"mode": "Block", "list": ["a"]}, (WARNING, "mode")),
            ({"mode": "deny", "list": ["a"]}, (ERROR, "mode")),
            ({"list": ["a"]}, (ERROR, "mode")),
            ({"mode": "allow"}, (ERROR, "list")),
            ({"mode": "block"},),
            ({},),
        ):
            value = with_server(options={"toolFilter": chosen})
            self.expect(
                value, *((severity, f"{SERVER}.options.toolFilter.{path}") for severity, path in wanted)
            )
        self.assertIsNone(loaded_server(options={"toolFilter": {"mode": "block"}}).options.tool_filter)
        chosen = loaded_server(options={"toolFilter": {"mode": "ALLOW", "list": ["a"]}}).options.tool_filter
        self.assertEqual((chosen.mode, chosen.list), ("allow", ["a"]))


class EnvironmentTests(CheckCase):
    """Running and validating have the same rules."""

    def test_same_problems(self) -> None:
        """With every variable set, running finds what validating finds."""
        for value in (with_auth(), with_server(args=["$X"], cwd="x"), with_auth(idp=None), file(token=STDIO)):
            self.assertEqual(found(value, ENVIRON), found(value, None))
