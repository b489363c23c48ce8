"""Reading JSON values into the model, driven by the model's types; every problem is collected."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import cache
from typing import Any, Final

from msgspec import inspect

from mcpfront.config import duration
from mcpfront.config.json_text import Object
from mcpfront.config.keys import IGNORED, SILENT
from mcpfront.config.model import Config
from mcpfront.config.problem import Findings, Path
from mcpfront.config.read_text import RefusedError, Rules, TextReader, kind_of
from mcpfront.config.reference import Pending, Secret, Template

_ABSENT: Final = object()
"""Read where a value means the same as no value."""


def read(value: object, environ: Mapping[str, str] | None, findings: Findings) -> Config:
    """Read the decoded file.

    Args:
        value: the decoded JSON.
        environ: the environment from which ``$env`` is taken, None to leave such texts unknown.
        findings: takes the problems, and tells which keys were given and which values refused.

    Returns:
        The config, in which unknown texts stand for values that were refused or not resolved.
    """
    kind = model_type()
    reader = _Reader(environ, findings)
    try:
        config = reader.value(kind, value, (), {})
    except RefusedError:
        config = _hole(kind)
    if not isinstance(config, Config):
        raise TypeError("the model's root is the config")
    return config


@cache
def model_type() -> inspect.StructType:
    """Return the description of the model's types."""
    kind = inspect.type_info(Config)
    if not isinstance(kind, inspect.StructType):
        raise TypeError("the model's root is a struct")
    return kind


def unwrap(kind: inspect.Type) -> tuple[inspect.Type, dict[str, Any], bool]:
    """Take the wrapping off a type.

    Returns:
        The bare type, its rules, and whether null is one of its values.
    """
    if isinstance(kind, inspect.Metadata):
        bare, rules, optional = unwrap(kind.type)
        return bare, {**rules, **(kind.extra or {})}, optional
    if isinstance(kind, inspect.UnionType):
        inner = next(item for item in kind.types if not isinstance(item, inspect.NoneType))
        bare, rules, _ = unwrap(inner)
        return bare, rules, True
    return kind, {}, False


def is_internal(field: inspect.Field) -> bool:
    """Tell whether a field is computed instead of read."""
    return bool(unwrap(field.type)[1].get("internal"))


class _Reader:
    def __init__(self, environ: Mapping[str, str] | None, findings: Findings) -> None:
        self._findings = findings
        self._text = TextReader(environ, findings)
        self._readers: dict[type, Callable[[Any, object, Path, Rules], Any]] = {
            inspect.StructType: self._struct,
            inspect.ListType: self._list,
            inspect.DictType: self._dict,
            inspect.StrType: self._string,
            inspect.FloatType: self._duration,
            inspect.IntType: self._integer,
            inspect.BoolType: self._boolean,
            inspect.LiteralType: self._literal,
            inspect.CustomType: self._reference,
            inspect.AnyType: _anything,
        }

    def value(self, kind: inspect.Type, value: object, path: Path, rules: Rules) -> Any:
        bare, own, _ = unwrap(kind)
        try:
            return self._readers[type(bare)](bare, value, path, {**rules, **own})
        except RefusedError:
            self._findings.refused.add(path)
            raise

    def _refuse(self, path: Path, message: str) -> RefusedError:
        self._findings.error(path, message)
        return RefusedError()

    def _want(self, type_: type, words: str, value: object, path: Path) -> None:
        if type(value) is not type_:
            raise self._refuse(path, f"must be {words}, found {kind_of(value)}")

    # containers

    def _struct(self, kind: inspect.StructType, value: object, path: Path, rules: Rules) -> Any:  # noqa: ARG002
        if not isinstance(value, Object):
            raise self._refuse(path, f"must be an object, found {kind_of(value)}")
        fields = {field.encode_name: field for field in kind.fields if not is_internal(field)}
        found = self._match_keys(kind.cls.__name__, list(fields), value, path)
        values = {
            field.name: self._field(field, found.get(name, _ABSENT), (*path, name))
            for name, field in fields.items()
        }
        return kind.cls(**{name: item for name, item in values.items() if item is not _ABSENT})

    def _field(self, field: inspect.Field, value: object, path: Path) -> Any:
        bare, rules, _ = unwrap(field.type)
        if value is None and not _is_text(bare, rules):
            if rules.get("null") is False:
                self._findings.error(path, "must not be null; remove the key, or give it a value")
                self._findings.refused.add(path)
                self._findings.given.add(path)
            value = _ABSENT
        if value is not _ABSENT:
            self._findings.given.add(path)
            try:
                result = self.value(field.type, value, path, {})
            except RefusedError:
                return _hole(bare) if field.required or _is_text(bare, rules) else _ABSENT
            if result is not _ABSENT:
                return result
        if field.required and path not in self._findings.refused:
            self._findings.error(path, "is required")
            self._findings.refused.add(path)
        return _hole(bare) if field.required else _ABSENT

    def _match_keys(self, section: str, names: list[str], value: Object, path: Path) -> dict[str, Any]:
        folded = {name.lower(): name for name in names}
        found: dict[str, Any] = {}
        for key, item in value.items():
            near = folded.get(key.lower())
            if key in names:
                found[key] = item
            elif near is not None and near not in value:
                self._findings.warning((*path, key), f'is read as "{near}"; keys are exact in every letter')
                found[near] = item
            else:
                self._report_unknown(section, key, names, near, path)
        return found

    def _report_unknown(self, section: str, key: str, names: list[str], near: str | None, path: Path) -> None:
        if key in SILENT.get(section, ()):
            return
        if key in IGNORED.get(section, ()):
            self._findings.note((*path, key), "has no effect; remove it")
            return
        close = [near] if near else get_close_matches(key, names, 1)
        hint = f'; did you mean "{close[0]}"?' if close else "; remove it"
        self._findings.warning((*path, key), f"is not a known key and is ignored{hint}")

    def _list(self, kind: inspect.ListType, value: object, path: Path, rules: Rules) -> list[Any]:
        if not isinstance(value, list):
            raise self._refuse(path, f"must be an array, found {kind_of(value)}")
        return [item for _, item in self._items(kind.item_type, enumerate(value), path, rules)]

    def _dict(self, kind: inspect.DictType, value: object, path: Path, rules: Rules) -> dict[str, Any]:
        if not isinstance(value, Object):
            raise self._refuse(path, f"must be an object, found {kind_of(value)}")
        return dict(self._items(kind.value_type, value.items(), path, rules))

    def _items(self, kind: inspect.Type, items: Any, path: Path, rules: Rules) -> list[tuple[Any, Any]]:
        read = []
        for key, value in items:
            try:
                read.append((key, self.value(kind, value, (*path, key), rules)))
            except RefusedError:
                continue
        return read

    # scalars

    def _string(self, kind: inspect.StrType, value: object, path: Path, rules: Rules) -> str:  # noqa: ARG002
        read_it = self._text.text if rules.get("form") == "text" else self._text.plain
        return read_it(value, path, rules)

    def _reference(
        self, kind: inspect.CustomType, value: object, path: Path, rules: Rules
    ) -> Secret | Template:
        if kind.cls is Secret:
            return Secret(self._text.text(value, path, {**rules, "secret": True}))
        text, needs_token = self._text.template(value, path, rules)
        return Template(text, needs_token=needs_token)

    def _boolean(self, kind: inspect.BoolType, value: object, path: Path, rules: Rules) -> object:  # noqa: ARG002
        self._want(bool, "true or false", value, path)
        return value

    def _integer(self, kind: inspect.IntType, value: object, path: Path, rules: Rules) -> int:  # noqa: ARG002
        if type(value) is not int:
            found = "another number" if type(value) is float else kind_of(value)
            raise self._refuse(path, f"must be an integer, found {found}")
        if (kind.ge is not None and value < kind.ge) or (kind.le is not None and value > kind.le):
            raise self._refuse(path, f"must be an integer from {kind.ge} to {kind.le}")
        return value

    def _duration(self, kind: inspect.FloatType, value: object, path: Path, rules: Rules) -> Any:  # noqa: ARG002
        if not isinstance(value, str):
            raise self._refuse(path, f'must be a duration in a string, such as "30s", found {kind_of(value)}')
        if not value:
            return _ABSENT
        try:
            seconds = duration.parse(value)
        except ValueError as error:
            raise self._refuse(path, str(error)) from None
        if seconds < 0 or (seconds == 0 and rules.get("positive")):
            least = "more than zero" if rules.get("positive") else "zero or more"
            raise self._refuse(path, f"must be a duration of {least}")
        return _ABSENT if seconds == 0 and rules.get("zero") == "default" else seconds

    def _literal(self, kind: inspect.LiteralType, value: object, path: Path, rules: Rules) -> str:
        wanted = ", ".join(f'"{word}"' for word in kind.values if word)
        if not isinstance(value, str):
            raise self._refuse(path, f"must be one of {wanted}, found {kind_of(value)}")
        if value in kind.values:
            return value
        if rules.get("fold") and value.lower() in kind.values:
            self._findings.warning(path, f'is read as "{value.lower()}"; write it in small letters')
            return value.lower()
        close = get_close_matches(value.lower(), [str(word) for word in kind.values], 1)
        hint = f'; did you mean "{close[0]}"?' if close else ""
        raise self._refuse(path, f"must be one of {wanted}, found another string{hint}")


def _anything(kind: inspect.AnyType, value: object, path: Path, rules: Rules) -> object:  # noqa: ARG001
    return value


def _is_text(kind: inspect.Type, rules: Rules) -> bool:
    return isinstance(kind, inspect.CustomType) or rules.get("form") == "text"


def _hole(kind: inspect.Type) -> Any:
    """Make what stands for a value that was refused, so that the rest can still be checked."""
    bare, _, _ = unwrap(kind)
    if isinstance(bare, inspect.CustomType):
        return bare.cls(Pending())
    if isinstance(bare, inspect.StrType):
        return Pending()
    if isinstance(bare, inspect.LiteralType):
        return bare.values[0]
    if isinstance(bare, inspect.DictType):
        return {}
    if isinstance(bare, inspect.StructType):
        return bare.cls(**{field.name: _hole(field.type) for field in bare.fields if field.required})
    raise TypeError(f"no field of type {bare} is required")
