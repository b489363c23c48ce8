"""The JSON Schema of the config file, made from the model, for editors (JSON Schema draft 2020-12)."""

from __future__ import annotations

import inspect as python_inspect
import re
from typing import Any, Final

from msgspec import inspect

from mcpfront.config import duration
from mcpfront.config.check import RESERVED
from mcpfront.config.keys import IGNORED, SILENT
from mcpfront.config.read import is_internal, model_type, unwrap
from mcpfront.config.reference import PLACEHOLDER, Secret

_DEFINED: Final[dict[str, dict[str, Any]]] = {
    "env": {
        "type": "object",
        "description": "The value of an environment variable when the gateway starts.",
        "properties": {"$env": {"type": "string", "minLength": 1}},
        "required": ["$env"],
        "additionalProperties": False,
    },
    "userToken": {
        "type": "object",
        "description": f"A text in which {PLACEHOLDER} stands for the user's own token.",
        "properties": {"$userToken": {"type": "string"}},
        "required": ["$userToken"],
        "additionalProperties": False,
    },
    "duration": {
        "type": "string",
        "description": 'A duration such as "30s", "1h30m" or "100ms".',
        "pattern": r"^$|^[+-]?(0|(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)$",
    },
}
_NEEDS: Final = {"stdio": "command", "sse": "url", "streamable-http": "url", "inline": "inline"}
_ATTRIBUTE: Final = re.compile(r"^ {4}(\w+): (.+(?:\n {6,}\S.*)*)", re.MULTILINE)
_Schema = dict[str, Any]


def schema() -> _Schema:
    """Return the JSON Schema of the config file."""
    definitions: dict[str, _Schema] = dict(_DEFINED)
    top = _struct(model_type(), definitions)
    servers = top["properties"]["mcpServers"]
    servers["propertyNames"] = {"pattern": "^[A-Za-z0-9][A-Za-z0-9_-]*$", "not": {"enum": sorted(RESERVED)}}
    definitions["Server"]["allOf"] = [_needs(transport, key) for transport, key in _NEEDS.items()]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "mcpfront config file",
        **top,
        "$defs": definitions,
    }


def descriptions(cls: type) -> dict[str, str]:
    """Return what the docstring of a section says of each field, by the field's name."""
    text = python_inspect.cleandoc(cls.__doc__ or "")
    return {name: " ".join(words.split()) for name, words in _ATTRIBUTE.findall(text)}


def _struct(kind: inspect.StructType, definitions: dict[str, _Schema]) -> _Schema:
    told = descriptions(kind.cls)
    fields = [field for field in kind.fields if not is_internal(field)]
    properties = {
        field.encode_name: {
            **_value(field.type, definitions),
            **_default(field),
            "description": told[field.name],
        }
        for field in fields
    }
    for name in SILENT.get(kind.cls.__name__, ()):
        properties[name] = {"type": "string"}
    for name in sorted(IGNORED.get(kind.cls.__name__, ())):
        properties[name] = {"deprecated": True, "description": "Has no effect."}
    return {
        "type": "object",
        "description": (kind.cls.__doc__ or "").partition("\n")[0],
        "properties": properties,
        "required": [field.encode_name for field in fields if field.required],
        "additionalProperties": False,
    }


def _value(wrapped: inspect.Type, definitions: dict[str, _Schema]) -> _Schema:
    kind, rules, _ = unwrap(wrapped)
    if isinstance(kind, inspect.StructType):
        name = kind.cls.__name__
        if name not in definitions:
            definitions[name] = _struct(kind, definitions)
        return {"$ref": f"#/$defs/{name}"}
    if isinstance(kind, inspect.ListType):
        return {"type": "array", "items": _value(kind.item_type, definitions)}
    if isinstance(kind, inspect.DictType):
        return {"type": "object", "additionalProperties": _value(kind.value_type, definitions)}
    return _scalar(kind, rules)


def _scalar(kind: inspect.Type, rules: dict[str, Any]) -> _Schema:
    if isinstance(kind, inspect.LiteralType):
        return {"enum": [word for word in kind.values if word]}
    if isinstance(kind, inspect.IntType):
        return {"type": "integer", "minimum": kind.ge, "maximum": kind.le}
    if isinstance(kind, inspect.BoolType):
        return {"type": "boolean"}
    if isinstance(kind, inspect.FloatType):
        return {"$ref": "#/$defs/duration"}
    if isinstance(kind, inspect.CustomType | inspect.StrType):
        return _text(kind, rules)
    return {}


def _text(kind: inspect.CustomType | inspect.StrType, rules: dict[str, Any]) -> _Schema:
    plain: _Schema = {"type": "string", "minLength": 1} if rules.get("nonempty") else {"type": "string"}
    forms = [] if rules.get("env_only") else [plain]
    if isinstance(kind, inspect.CustomType) or rules.get("form") == "text":
        forms.append({"$ref": "#/$defs/env"})
    if isinstance(kind, inspect.CustomType) and kind.cls is not Secret and rules.get("user_token", True):
        forms.append({"$ref": "#/$defs/userToken"})
    return forms[0] if len(forms) == 1 else {"anyOf": forms}


def _default(field: inspect.Field) -> _Schema:
    if isinstance(field.default, float):
        return {"default": duration.render(field.default)}
    if isinstance(field.default, str | int) and field.default != "":
        return {"default": field.default}
    return {}


def _needs(transport: str, key: str) -> _Schema:
    wanted = {"properties": {"transportType": {"const": transport}}, "required": ["transportType"]}
    return {"if": wanted, "then": {"required": [key]}}
