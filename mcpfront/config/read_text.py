"""Reading texts: plain strings and the reference objects ``{"$env": …}`` and ``{"$userToken": …}``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from mcpfront.config.json_text import Object
from mcpfront.config.problem import Findings, Path
from mcpfront.config.reference import PLACEHOLDER, Pending

ENV: Final = "$env"
USER_TOKEN: Final = "$userToken"  # noqa: S105 - a key of the file
Rules = Mapping[str, Any]

_KINDS: Final[dict[type, str]] = {
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "an array",
    Object: "an object",
    type(None): "null",
}
_SHELL: Final = re.compile(r"\$(?:[A-Z_][A-Z0-9_]*|\{[A-Z_][A-Z0-9_]*\})")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_SHORTEST_QUOTED: Final = 2


class RefusedError(Exception):
    """A value was refused; the problem is already reported."""


def kind_of(value: object) -> str:
    """Name the kind of a JSON value for people."""
    return _KINDS[type(value)]


class TextReader:
    """Reads texts and references.

    Args:
        environ: the environment from which ``$env`` is taken, None to leave such texts unknown.
        findings: takes the problems.
    """

    def __init__(self, environ: Mapping[str, str] | None, findings: Findings) -> None:
        self._environ = environ
        self._findings = findings

    def plain(self, value: object, path: Path, rules: Rules) -> str:
        """Read a string that can be no reference."""
        if not isinstance(value, str):
            hint = "; references are not read at this key" if _is_reference(value) else ""
            raise self._refuse(path, f"must be a string, found {kind_of(value)}{hint}")
        self._look_for_shell(value, path, rules)
        return self._sound(value, path, rules)

    def text(self, value: object, path: Path, rules: Rules) -> str:
        """Read a string or an ``$env`` reference."""
        return self.template(value, path, {**rules, "user_token": False})[0]

    def template(self, value: object, path: Path, rules: Rules) -> tuple[str, bool]:
        """Read a string or a reference of either kind.

        Returns:
            The text, and whether a user's token is to be put into it.
        """
        if value is None:
            value = ""
        if isinstance(value, str):
            return self._literal(value, path, rules), False
        if isinstance(value, Object) and ENV in value:
            self._report_extra(value, ENV, path)
            return self._sound(self._resolve(value[ENV], (*path, ENV)), path, rules), False
        if isinstance(value, Object) and USER_TOKEN in value:
            self._report_extra(value, USER_TOKEN, path)
            return self._user_token(value[USER_TOKEN], path, rules)
        raise self._refuse(path, f"must be {_wanted(rules)}, found {kind_of(value)}")

    def _literal(self, text: str, path: Path, rules: Rules) -> str:
        if rules.get("env_only"):
            raise self._refuse(
                path, f"must be {_wanted(rules)}, found a string; secrets do not belong in the file"
            )
        if rules.get("env_advised") and text:
            self._findings.warning(path, 'stands in the file for all to read; write {"$env": "NAME"}')
        self._look_for_shell(text, path, rules)
        return self._sound(text, path, rules)

    def _user_token(self, text: object, path: Path, rules: Rules) -> tuple[str, bool]:
        if not rules.get("user_token", True):
            raise self._refuse(path, f"must be {_wanted(rules)}; a user's token cannot be part of this value")
        if not isinstance(text, str):
            raise self._refuse(
                (*path, USER_TOKEN), f"must be a string with {PLACEHOLDER} in it, found {kind_of(text)}"
            )
        if PLACEHOLDER not in text:
            self._findings.warning((*path, USER_TOKEN), f"has no {PLACEHOLDER}, so no token is put into it")
        return self._sound(text, path, rules), PLACEHOLDER in text

    def _resolve(self, name: object, path: Path) -> str:
        if not isinstance(name, str) or not name or "=" in name or "\0" in name:
            found = "another text" if isinstance(name, str) else kind_of(name)
            raise self._refuse(path, f"must be the name of an environment variable, found {found}")
        if self._environ is None:
            return Pending()
        value = self._environ.get(name, "")
        if not value:
            shown = name if _NAME.fullmatch(name) else "named here"
            state = "is empty" if name in self._environ else "is not set"
            raise self._refuse(path, f"the environment variable {shown} {state}")
        return _unquote(value)

    def _sound(self, text: str, path: Path, rules: Rules) -> str:
        if isinstance(text, Pending):
            return text
        if "\0" in text:
            raise self._refuse(path, "must not hold a NUL character")
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise self._refuse(path, "must be UTF-8 text; the environment variable holds other bytes")
        if rules.get("nonempty") and not text:
            raise self._refuse(path, "must not be empty")
        return text

    def _look_for_shell(self, text: str, path: Path, rules: Rules) -> None:
        found = _SHELL.fullmatch(text) if rules.get("secret") else _SHELL.search(text)
        if found and not rules.get("pattern"):
            self._findings.warning(
                path,
                'looks like a shell variable, which is not replaced; write {"$env": "NAME"}',
            )

    def _report_extra(self, value: Object, key: str, path: Path) -> None:
        for extra in value:
            if extra != key:
                self._findings.warning((*path, extra), f'is ignored beside "{key}"; remove it')

    def _refuse(self, path: Path, message: str) -> RefusedError:
        self._findings.error(path, message)
        return RefusedError()


def _is_reference(value: object) -> bool:
    return isinstance(value, Object) and (ENV in value or USER_TOKEN in value)


def _wanted(rules: Rules) -> str:
    if rules.get("env_only"):
        return '{"$env": "NAME"}'
    if not rules.get("user_token", True):
        return 'a string or {"$env": "NAME"}'
    return 'a string, {"$env": "NAME"} or {"$userToken": "…{{token}}…"}'


def _unquote(text: str) -> str:
    quoted = len(text) >= _SHORTEST_QUOTED and text[0] == text[-1] and text[0] in "\"'"
    return text[1:-1] if quoted else text
