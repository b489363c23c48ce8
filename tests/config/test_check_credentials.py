"""Rules of credentials and of aggregates: tables of configs and of what is found in them."""

from __future__ import annotations

from typing import Any

from tests.config.support import (
    BEARER,
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
    with_auth,
    with_server,
)


class CredentialTests(CheckCase):
    """``serviceAuths`` and tokens of users."""

    def test_service_auths(self) -> None:
        """An entry that can let nobody in is an error."""
        basic = {"type": "basic", "username": "u", "password": {"$env": "SECRET"}}
        for entries, *wanted in (
            ([BEARER, basic],),
            ([], (ERROR, "")),
            ([{}], (ERROR, "[0].type")),
            ([{"type": "digest"}], (ERROR, "[0].type")),
            ([{"type": "bearer"}], (ERROR, "[0].tokens")),
            ([{"type": "bearer", "tokens": []}], (ERROR, "[0].tokens")),
            ([{"type": "bearer", "tokens": [""]}], (ERROR, "[0].tokens[0]")),
            ([{"type": "bearer", "tokens": [{"$env": "UNSET"}]}], (ERROR, "[0].tokens[0].$env")),
            (
                [{"type": "bearer", "tokens": ["a b", "ü", "ok"]}],
                (ERROR, "[0].tokens[0]"),
                (ERROR, "[0].tokens[1]"),
            ),
            ([{**BEARER, "username": "u"}], (WARNING, "[0].username")),
            ([{**basic, "password": "literal"}], (WARNING, "[0].password")),
            ([{**basic, "password": "é" * 100}], (WARNING, "[0].password")),
            ([{**basic, "password": "a\nb"}], (WARNING, "[0].password"), (ERROR, "[0].password")),
            ([{**basic, "password": ""}], (ERROR, "[0].password")),
            ([{**basic, "password": None}], (ERROR, "[0].password")),
            ([{"type": "basic"}], (ERROR, "[0].username"), (ERROR, "[0].password")),
            ([{**basic, "username": "a:b"}], (ERROR, "[0].username")),
            ([{**basic, "tokens": ["x"]}], (WARNING, "[0].tokens")),
        ):
            self.expect(
                with_server(serviceAuths=entries),
                *((severity, f"{SERVER}.serviceAuths{path}") for severity, path in wanted),
            )

    def test_tokens_of_users(self) -> None:
        """A server that needs users' tokens needs sign-in and a way to bring them."""
        self.expect(
            with_server(requiresUserToken=True),
            (ERROR, f"{SERVER}.requiresUserToken"),
            (ERROR, f"{SERVER}.userAuthentication"),
        )
        value = with_auth()
        value["mcpServers"]["files"].update(requiresUserToken=True, userAuthentication=MANUAL)
        self.expect(value)
        self.expect(with_server(args=[{"$userToken": "{{token}}"}]), (WARNING, f"{SERVER}.args[0]"))
        self.expect(
            with_server(userAuthentication=MANUAL), (NOTE, f"{SERVER}.userAuthentication"), notes=True
        )

    def test_user_authentication(self) -> None:
        """Each way of bringing a token has what it needs."""
        connect = {
            "type": "oauth",
            "clientId": "c",
            "clientSecret": {"$env": "SECRET"},
            "authorizationUrl": "https://a.example/authorize",
            "tokenUrl": "https://a.example/token",
            "scopes": ["x"],
        }
        for way, *wanted in (
            (MANUAL,),
            ({"type": "magic"}, (ERROR, "type")),
            ({"type": "manual"}, (WARNING, "displayName"), (WARNING, "instructions")),
            ({**MANUAL, "validation": "["}, (ERROR, "validation")),
            ({**MANUAL, "validation": "a" * 2000}, (ERROR, "validation")),
            ({**MANUAL, "validation": r"^[[:alpha:]]+\z"},),
            ({**MANUAL, "helpUrl": "javascript:x"}, (ERROR, "helpUrl")),
            ({**MANUAL, "tokenFormat": "^ghp_"}, (WARNING, "tokenFormat")),
            (connect,),
            ({**connect, "clientId": {"$userToken": "{{token}}"}}, (ERROR, "clientId")),
            ({**connect, "clientSecret": "literal"}, (WARNING, "clientSecret")),
            ({**connect, "scopes": []}, (WARNING, "scopes")),
            ({**connect, "tokenUrl": "x"}, (ERROR, "tokenUrl")),
            (
                {"type": "oauth"},
                (ERROR, "clientId"),
                (ERROR, "authorizationUrl"),
                (ERROR, "tokenUrl"),
                (WARNING, "clientSecret"),
                (WARNING, "scopes"),
            ),
        ):
            self.expect(
                with_server(userAuthentication=way),
                *((severity, f"{SERVER}.userAuthentication.{path}") for severity, path in wanted),
            )


class AggregateTests(CheckCase):
    """Servers that gather others."""

    def _value(self, *, others: dict[str, Any] | None = None, **members: Any) -> dict[str, Any]:
        others = {"b": STDIO, "a": REMOTE} if others is None else others
        return file(all={"type": "aggregate", "serviceAuths": [BEARER], **members}, **others)

    def test_defaults(self) -> None:
        """Without a list all servers that can be gathered are, sorted."""
        server = loaded(self._value()).mcp_servers["all"]
        self.assertEqual((server.servers, server.transport_type, server.delimiter), (["a", "b"], "sse", "."))

    def test_rules(self) -> None:
        """Each rule is told at its key."""
        inline = {"transportType": "inline", "inline": {"tools": []}, "serviceAuths": [BEARER]}
        for members, *wanted in (
            ({"servers": ["a"]},),
            ({"servers": []}, (ERROR, "servers")),
            ({"servers": ["a", "a"]}, (ERROR, "servers[1]")),
            ({"servers": ["all"]}, (ERROR, "servers[0]")),
            ({"servers": ["zzz"]}, (ERROR, "servers[0]")),
            ({"servers": [5]}, (ERROR, "servers[0]")),
            (
                {
                    "servers": ["other"],
                    "others": {
                        "other": {"type": "aggregate", "servers": ["s"], "serviceAuths": [BEARER]},
                        "s": STDIO,
                    },
                },
                (ERROR, "servers[0]"),
            ),
            (
                {
                    "servers": ["i"],
                    "others": {"i": {**inline, "inline": {"tools": [{"name": "n", "command": "c"}]}}},
                },
                (ERROR, "servers[0]"),
            ),
            ({"others": {}}, (ERROR, "servers")),
            ({"transportType": "stdio"}, (ERROR, "transportType")),
            ({"transportType": "streamable-http"},),
            ({"delimiter": ""}, (WARNING, "delimiter")),
            ({"delimiter": "/"}, (ERROR, "delimiter")),
            ({"delimiter": 5}, (ERROR, "delimiter")),
            ({"delimiter": "-", "others": {"a-b": STDIO}}, (ERROR, "servers")),
            ({"command": "x"}, (ERROR, "command")),
            ({"requiresUserToken": False}, (ERROR, "requiresUserToken")),
            ({"discovery": {"timeout": "0"}}, (ERROR, "discovery.timeout")),
            ({"discovery": {"timeout": "1m", "cacheTtl": "1m"}}, (WARNING, "discovery")),
            ({"discovery": {"timeout": "2m"}},),
            ({"discovery": {"maxConnsPerUser": -1}}, (ERROR, "discovery.maxConnsPerUser")),
        ):
            self.expect(
                self._value(**members), *((severity, f"mcpServers.all.{path}") for severity, path in wanted)
            )

    def test_options(self) -> None:
        """Options of an aggregate are noted, as they do nothing."""
        told = found(self._value(options={"toolFilter": {"mode": "block", "list": ["a"]}}))
        self.assertIn((NOTE, "mcpServers.all.options"), told)

    def test_member_that_was_refused(self) -> None:
        """A member that could not be read is told once, as itself."""
        self.expect(self._value(servers=["a"], others={"a": None}), (ERROR, "mcpServers.a"))
