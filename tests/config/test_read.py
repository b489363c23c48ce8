"""Reading values: kinds, references, keys and defaults, every problem at once."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from mcpfront.config.load import examine
from mcpfront.config.reference import MissingUserToken
from tests.config.support import (
    ENVIRON,
    ERROR,
    NOTE,
    WARNING,
    Found,
    file,
    found,
    loaded,
    loaded_server,
    messages,
    with_proxy,
    with_server,
)


class KindTests(SynchronousTestCase):
    """Values of another kind than the key's."""

    def test_all_at_once(self) -> None:
        """Every problem of a file is reported, each at its path."""
        value = {
            "proxy": {"baseURL": 5, "auth": None, "sessions": {"timeout": 30, "maxPerUser": "10"}},
            "mcpServers": {
                "a": None,
                "b": [],
                "c": {"transportType": "stdio", "command": "x", "args": "y", "warm": 1.5},
            },
        }
        self.assertEqual(
            found(value),
            [
                (ERROR, "mcpServers.a"),
                (ERROR, "mcpServers.b"),
                (ERROR, "mcpServers.c.args"),
                (ERROR, "mcpServers.c.warm"),
                (ERROR, "proxy.addr"),
                (ERROR, "proxy.auth"),
                (ERROR, "proxy.baseURL"),
                (ERROR, "proxy.sessions.maxPerUser"),
                (ERROR, "proxy.sessions.timeout"),
                (ERROR, "version"),
            ],
        )

    def test_tops(self) -> None:
        """A file that is no object is one problem, with no path."""
        for value in (None, [], "x", 5, True, 1.5):
            self.assertEqual(found(value), [(ERROR, "")])

    def test_missing_sections(self) -> None:
        """An empty object lacks three keys."""
        self.assertEqual(found({}), [(ERROR, "mcpServers"), (ERROR, "proxy"), (ERROR, "version")])

    def test_sections_of_wrong_kind(self) -> None:
        """A section of the wrong kind is one problem, not one for each of its keys."""
        self.assertEqual(found({**file(), "proxy": 5}), [(ERROR, "proxy")])
        self.assertEqual(found({**file(), "mcpServers": []}), [(ERROR, "mcpServers")])
        self.assertEqual(found(with_proxy(auth=5)), [(ERROR, "proxy.auth")])
        self.assertEqual(found(with_proxy(limits="x")), [(ERROR, "proxy.limits")])

    def test_words_name_both_kinds(self) -> None:
        """A message names the kind that is wanted and the kind that was found."""
        for members, words in (
            ({"timeout": 30}, 'must be a duration in a string, such as "30s", found a number'),
            ({"timeout": "1d"}, "is not a duration"),
            ({"args": {}}, "must be an array, found an object"),
            ({"env": []}, "must be an object, found an array"),
            ({"requiresUserToken": "yes"}, "must be true or false, found a string"),
            ({"warm": True}, "must be an integer, found a boolean"),
            ({"warm": 1.0}, "must be an integer, found another number"),
            ({"warm": -1}, "must be an integer from 0 to 1000"),
            ({"isolation": 5}, 'must be one of "session", "shared", "user", found a number'),
            ({"isolation": "sesion"}, 'did you mean "session"?'),
            ({"command": ["x"]}, 'must be a string or {"$env": "NAME"}, found an array'),
            (
                {"args": [5]},
                'must be a string, {"$env": "NAME"} or {"$userToken": "…{{token}}…"}, found a number',
            ),
            ({"envPassthrough": [{"$env": "X"}]}, "references are not read at this key"),
        ):
            self.assertIn(words, messages(with_server(**members)), members)

    def test_null(self) -> None:
        """Null is no value for a key, no text for a reference, and an error for a section that matters."""
        server = loaded_server(options=None, warm=None, env=None, timeout=None, args=[None, "x"])
        self.assertEqual([template.render(None) for template in server.args], ["", "x"])
        self.assertEqual((server.warm, server.env, server.timeout), (0, {}, 600.0))
        self.assertIn((ERROR, "mcpServers.files.command"), found(with_server(command=None)))
        self.assertIn(
            (ERROR, "mcpServers.files.envPassthrough[0]"), found(with_server(envPassthrough=[None]))
        )

    def test_nul_character(self) -> None:
        """A NUL character, which ends a text for the system, is refused."""
        self.assertEqual(found(with_server(args=["a\0b"])), [(ERROR, "mcpServers.files.args[0]")])


class ReferenceTests(SynchronousTestCase):
    """``$env`` and ``$userToken``."""

    def _found(self, value: Any) -> Found:
        return found(with_server(args=[value]))

    def test_env(self) -> None:
        """A variable's value is the text; one pair of quotes around it is taken off."""
        for value, text in {
            "x": "x",
            '"x"': "x",
            "'x'": "x",
            '"x': '"x',
            '"': '"',
            "'\"x\"'": '"x"',
            "a'b'": "a'b'",
        }.items():
            server = loaded(with_server(args=[{"$env": "V"}]), {**ENVIRON, "V": value}).mcp_servers["files"]
            self.assertEqual(server.args[0].render(None), text)

    def test_unset(self) -> None:
        """A variable that is not set, or empty, is an error at its place."""
        for environ in ({}, {"V": ""}):
            self.assertEqual(
                found(with_server(args=[{"$env": "V"}]), {**ENVIRON, **environ}),
                [(ERROR, "mcpServers.files.args[0].$env")],
            )

    def test_unresolved(self) -> None:
        """Without an environment references are checked in form and not resolved."""
        value = with_server(args=[{"$env": "V"}])
        value["proxy"]["baseURL"] = {"$env": "URL"}
        value["proxy"]["addr"] = {"$env": "ADDR"}
        self.assertEqual(found(value, None), [])

    def test_not_utf8(self) -> None:
        """A variable with bytes that are no text is refused."""
        value = with_server(args=[{"$env": "V"}])
        self.assertEqual(found(value, {**ENVIRON, "V": "\udcff"}), [(ERROR, "mcpServers.files.args[0]")])

    def test_malformed(self) -> None:
        """References that are none are errors."""
        for value in (
            {},
            {"env": "X"},
            {"$env": 5},
            {"$env": ""},
            {"$env": "A=B"},
            {"$userToken": 5},
            {"$env": None},
            {"$env": "A\0"},
            [],
        ):
            self.assertEqual({severity for severity, _ in self._found(value)}, {ERROR}, value)

    def test_user_token(self) -> None:
        """A template renders with the user's token only."""
        template = loaded_server(args=[{"$userToken": "Bearer {{token}}"}]).args[0]
        self.assertTrue(template.needs_token)
        self.assertEqual(template.render("t"), "Bearer t")
        self.assertRaises(MissingUserToken, template.render, None)

    def test_user_token_without_placeholder(self) -> None:
        """A template without a placeholder is a warning and needs no token."""
        self.assertEqual(self._found({"$userToken": "x"}), [(WARNING, "mcpServers.files.args[0].$userToken")])
        self.assertFalse(loaded_server(args=[{"$userToken": "x"}]).args[0].needs_token)

    def test_literal_braces(self) -> None:
        """A plain text with braces needs no token."""
        self.assertEqual(loaded_server(args=["{{token}}"]).args[0].render(None), "{{token}}")

    def test_user_token_refused(self) -> None:
        """Where a user's token cannot be, a template is an error."""
        for members in (
            {"command": {"$userToken": "{{token}}"}},
            {"cwd": {"$userToken": "/{{token}}"}},
            {"serviceAuths": [{"type": "bearer", "tokens": [{"$userToken": "{{token}}"}]}]},
            {"serviceAuths": [{"type": "basic", "username": "u", "password": {"$userToken": "{{token}}"}}]},
        ):
            self.assertEqual([severity for severity, _ in found(with_server(**members))], [ERROR], members)

    def test_env_wins(self) -> None:
        """With both keys the variable is used, with a warning for the other."""
        both = {"$userToken": "{{token}}", "$env": "TOKEN"}
        self.assertEqual(self._found(both), [(WARNING, "mcpServers.files.args[0].$userToken")])

    def test_env_in_other_texts(self) -> None:
        """A service's user token is read in both forms."""
        for value in ("x", {"$env": "TOKEN"}, {"$userToken": "{{token}}"}):
            entry = {"type": "bearer", "tokens": ["t"], "userToken": value}
            self.assertEqual(found(with_server(serviceAuths=[entry])), [])


class ShellTests(SynchronousTestCase):
    """Texts that look like shell variables."""

    def test_warned(self) -> None:
        """They are not replaced, and told."""
        for text in ("$HOME", "${HOME}", "a$HOME/b"):
            self.assertEqual(found(with_server(args=[text])), [(WARNING, "mcpServers.files.args[0]")])

    def test_not_warned(self) -> None:
        """Other dollars are no variables, nor is anything inside a reference."""
        for value in ("$home", "5$", "$", "$5", "${", {"$userToken": "$A{{token}}"}):
            self.assertNotIn("shell", messages(with_server(args=[value])))

    def test_passwords(self) -> None:
        """In a secret only a whole variable is told, as a part may be the secret."""
        for token, warned in (("$TOKEN", True), ("a$TOKEN", False)):
            said = messages(with_server(serviceAuths=[{"type": "bearer", "tokens": [token]}]))
            self.assertEqual("shell" in said, warned)
            self.assertNotIn(token, said)

    def test_patterns(self) -> None:
        """A dollar in a regular expression is none."""
        way = {"type": "manual", "displayName": "a", "instructions": "b", "validation": "^[A-Z]+$X?"}
        self.assertNotIn("shell", messages(with_server(userAuthentication=way)))


class KeyTests(SynchronousTestCase):
    """Keys that are not quite the model's."""

    def test_unknown(self) -> None:
        """An unknown key is a warning that names the nearest known one."""
        value = with_server(comand="x")
        self.assertEqual(found(value), [(WARNING, "mcpServers.files.comand")])
        self.assertIn('did you mean "command"?', messages(value))
        self.assertIn("remove it", messages({**file(), "zzz": 1}))

    def test_case(self) -> None:
        """A key that differs in case only is read, with a warning."""
        value = with_proxy()
        value["proxy"]["baseurl"] = value["proxy"].pop("baseURL")
        self.assertEqual(found(value), [(WARNING, "proxy.baseurl")])
        self.assertEqual(loaded(value).proxy.base_url, "https://mcp.example.com")

    def test_case_and_exact(self) -> None:
        """Beside the exact key another case of it is ignored, with a warning."""
        value = with_proxy(BASEURL="https://other.example.com")
        self.assertEqual(found(value), [(WARNING, "proxy.BASEURL")])
        self.assertEqual(loaded(value).proxy.base_url, "https://mcp.example.com")

    def test_twice(self) -> None:
        """A key that comes twice is a warning, and the last value counts."""
        text = b'{"version":"x","version":"v0.0.1-DEV_EDITION","proxy":{"baseURL":"http://a.example","addr":":1"},"mcpServers":{}}'
        config, problems = examine(text, {})
        self.assertIsNotNone(config)
        self.assertEqual(
            [(p.severity, p.path) for p in problems], [(WARNING, "version"), (NOTE, "mcpServers")]
        )

    def test_silent(self) -> None:
        """The editor's key is nobody's business."""
        self.assertEqual(found({"$schema": "./schema.json", **file()}), [])

    def test_without_effect(self) -> None:
        """Keys that do nothing here are notes."""
        value = with_server(options={"authTokens": {"a": ["x"]}, "logEnabled": True})
        value["proxy"]["admin"] = {"enabled": True}
        self.assertEqual({severity for severity, _ in found(value)}, {NOTE})

    def test_strange_keys(self) -> None:
        """A key with any characters makes a path that can be printed on one line."""
        for key in ("a\nb", "\x1b[31m", "ü", "", "a.b", "x" * 10_000):
            (problem,) = examine(json.dumps({**file(), key: 1}).encode(), ENVIRON)[1]
            self.assertTrue((problem.path.isprintable() and problem.path.isascii()) or "…" in problem.path)
            self.assertLess(len(problem.path), 200)


class DefaultTests(SynchronousTestCase):
    """What holds when a key is absent."""

    def test_sessions(self) -> None:
        """A sessions block without maxPerUser keeps the limit."""
        self.assertEqual(loaded(with_proxy(sessions={})).proxy.sessions.max_per_user, 10)

    def test_zero_durations(self) -> None:
        """Zero and empty durations of sessions are the defaults; negative ones are errors."""
        sessions = loaded(with_proxy(sessions={"timeout": "0", "cleanupInterval": ""})).proxy.sessions
        self.assertEqual((sessions.timeout, sessions.cleanup_interval), (300.0, 60.0))
        self.assertEqual(found(with_proxy(sessions={"timeout": "-1s"})), [(ERROR, "proxy.sessions.timeout")])

    def test_call_timeout(self) -> None:
        """A stdio call has ten minutes unless the file says otherwise."""
        self.assertEqual(loaded_server().timeout, 600.0)
        self.assertEqual(loaded_server(timeout="0").timeout, 600.0)
        self.assertEqual(loaded_server(timeout="90s").timeout, 90.0)

    def test_limits(self) -> None:
        """The bounds are those of the documentation."""
        limits = loaded(file()).proxy.limits
        self.assertEqual(
            (limits.body, limits.body_unauthenticated, limits.message), (4 << 20, 16 << 10, 16 << 20)
        )
        self.assertEqual((limits.header_timeout, limits.body_timeout, limits.drain), (20.0, 60.0, 3.0))
        self.assertEqual(
            (limits.replay_bytes, limits.replay_events, limits.stream_buffer), (1 << 20, 1000, 1 << 20)
        )

    def test_server(self) -> None:
        """A server knows its name and has the safe isolation."""
        server = loaded_server()
        self.assertEqual(
            (server.name, server.isolation, server.warm, server.handshake_timeout),
            ("files", "session", 0, 30.0),
        )
        self.assertIsNone(server.options.tool_filter)

    def test_base_path(self) -> None:
        """The base path comes from the base URL, which has no slash at its end."""
        for url, path in {
            "https://a.example": "",
            "https://a.example/": "",
            "https://a.example/x/": "/x",
        }.items():
            proxy = loaded(with_proxy(baseURL=url)).proxy
            self.assertEqual(proxy.base_path, path)
            self.assertFalse(proxy.base_url.endswith("/"))


def _json(value: Any) -> bytes:
    import json

    return json.dumps(value).encode()
