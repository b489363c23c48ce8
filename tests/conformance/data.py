"""What the conformance fixture offers: tools, resources and prompts by the names that the suite calls."""

from __future__ import annotations

from typing import Any, Final

PNG: Final = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
)
"""An image of one red pixel."""

WAV: Final = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAAAAA=="
"""One silent sample."""

PAUSE: Final = 0.05
"""Seconds between two notifications of a tool."""

EMPTY: Final[dict[str, Any]] = {"type": "object", "properties": {}}


def _wanting(argument: str) -> dict[str, Any]:
    return {"type": "object", "properties": {argument: {"type": "string"}}, "required": [argument]}


SCHEMA_2020_12: Final[dict[str, Any]] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}

TOOLS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "test_simple_text": ("Returns one text.", EMPTY),
    "test_image_content": ("Returns one image.", EMPTY),
    "test_audio_content": ("Returns one sound.", EMPTY),
    "test_embedded_resource": ("Returns an embedded resource.", EMPTY),
    "test_multiple_content_types": ("Returns a text, an image and a resource.", EMPTY),
    "test_tool_with_logging": ("Sends three log messages while it runs.", EMPTY),
    "test_tool_with_progress": ("Tells its progress three times.", EMPTY),
    "test_error_handling": ("Always fails.", EMPTY),
    "test_sampling": ("Has the client's model answer a prompt.", _wanting("prompt")),
    "test_elicitation": ("Asks the client's user for two values.", _wanting("message")),
    "test_elicitation_sep1034_defaults": ("Asks with a default for every primitive type.", EMPTY),
    "test_elicitation_sep1330_enums": ("Asks with every form of enumeration.", EMPTY),
    "json_schema_2020_12_tool": ("Has an input schema that uses the 2020-12 vocabulary.", SCHEMA_2020_12),
}

_TEXT: Final = {"type": "text", "text": "This is a simple text response for testing."}
_IMAGE: Final = {"type": "image", "data": PNG, "mimeType": "image/png"}
_AUDIO: Final = {"type": "audio", "data": WAV, "mimeType": "audio/wav"}


def resource(uri: str, mime_type: str, text: str) -> dict[str, Any]:
    """Make an embedded resource block."""
    return {"type": "resource", "resource": {"uri": uri, "mimeType": mime_type, "text": text}}


ANSWERS: Final[dict[str, list[dict[str, Any]]]] = {
    "test_simple_text": [_TEXT],
    "test_image_content": [_IMAGE],
    "test_audio_content": [_AUDIO],
    "test_embedded_resource": [
        resource("test://embedded-resource", "text/plain", "This is an embedded resource content.")
    ],
    "test_multiple_content_types": [
        {"type": "text", "text": "Multiple content types test:"},
        _IMAGE,
        resource("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
    ],
    "json_schema_2020_12_tool": [_TEXT],
}
"""The tools whose answer is always the same."""

_ASKED: Final = {"type": "string", "description": "User's response"}
ELICITATIONS: Final[dict[str, dict[str, Any]]] = {
    "test_elicitation": {
        "type": "object",
        "properties": {
            "username": _ASKED,
            "email": {"type": "string", "description": "User's email address"},
        },
        "required": ["username", "email"],
    },
    "test_elicitation_sep1034_defaults": {
        "type": "object",
        "properties": {
            "name": {"type": "string", "default": "John Doe"},
            "age": {"type": "integer", "default": 30},
            "score": {"type": "number", "default": 95.5},
            "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
            "verified": {"type": "boolean", "default": True},
        },
    },
    "test_elicitation_sep1330_enums": {
        "type": "object",
        "properties": {
            "untitledSingle": {"type": "string", "enum": ["option1", "option2", "option3"]},
            "titledSingle": {
                "type": "string",
                "oneOf": [
                    {"const": "value1", "title": "First Option"},
                    {"const": "value2", "title": "Second Option"},
                    {"const": "value3", "title": "Third Option"},
                ],
            },
            "legacyEnum": {
                "type": "string",
                "enum": ["opt1", "opt2", "opt3"],
                "enumNames": ["Option One", "Option Two", "Option Three"],
            },
            "untitledMulti": {
                "type": "array",
                "items": {"type": "string", "enum": ["option1", "option2", "option3"]},
            },
            "titledMulti": {
                "type": "array",
                "items": {
                    "anyOf": [
                        {"const": "value1", "title": "First Choice"},
                        {"const": "value2", "title": "Second Choice"},
                        {"const": "value3", "title": "Third Choice"},
                    ]
                },
            },
        },
    },
}
"""The forms by which tools ask."""

RESOURCES: Final[dict[str, dict[str, str]]] = {
    "test://static-text": {
        "mimeType": "text/plain",
        "text": "This is the content of the static text resource.",
    },
    "test://static-binary": {"mimeType": "image/png", "blob": PNG},
    "test://watched-resource": {"mimeType": "text/plain", "text": "This resource can be subscribed to."},
}
TEMPLATE: Final = "test://template/{id}/data"

PROMPTS: Final[dict[str, tuple[str, list[str]]]] = {
    "test_simple_prompt": ("One message.", []),
    "test_prompt_with_arguments": ("One message with two arguments in it.", ["arg1", "arg2"]),
    "test_prompt_with_embedded_resource": ("A message with a resource.", ["resourceUri"]),
    "test_prompt_with_image": ("A message with an image.", []),
}


def prompt_messages(name: str, arguments: dict[str, str]) -> list[dict[str, Any]]:
    """Return the contents of a prompt's messages.

    Raises:
        KeyError: there is no such prompt, or an argument is missing.
    """
    contents: dict[str, list[dict[str, Any]]]
    contents = {
        "test_simple_prompt": [{"type": "text", "text": "This is a simple prompt for testing."}],
        "test_prompt_with_image": [_IMAGE, {"type": "text", "text": "Please analyze the image above."}],
    }
    if name == "test_prompt_with_arguments":
        words = f"Prompt with arguments: arg1='{arguments['arg1']}', arg2='{arguments['arg2']}'"
        return [{"type": "text", "text": words}]
    if name == "test_prompt_with_embedded_resource":
        embedded = resource(arguments["resourceUri"], "text/plain", "Embedded resource content for testing.")
        return [embedded, {"type": "text", "text": "Please process the embedded resource above."}]
    return contents[name]
