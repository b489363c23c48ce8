"""Any JSON at all: problems, never exceptions; places, never secrets."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mcpfront.config.load import examine
from mcpfront.config.schema import schema
from tests.config.support import MANUAL, OAUTH, REMOTE, STDIO, VERSION

HUSH = "hush-9f8e7d6c"


def _names() -> list[str]:
    sections = [schema(), *schema()["$defs"].values()]
    return sorted({name for section in sections for name in section.get("properties", {})})


def _finite(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


_KEYS = st.sampled_from([*_names(), "files", "unknown"]) | st.text(max_size=5)
_WORDS = st.sampled_from(
    ["stdio", "sse", "inline", "aggregate", "bearer", "basic", "oauth", "manual", "30s", VERSION]
)
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | _WORDS
_JSON = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=5),
    max_leaves=25,
)
_SHAPED = st.fixed_dictionaries(
    {},
    optional={
        "version": st.just(VERSION) | _JSON,
        "proxy": st.dictionaries(_KEYS, st.just(OAUTH) | _JSON, max_size=6) | _JSON,
        "mcpServers": st.dictionaries(
            _KEYS,
            st.builds(
                lambda base, more: {**base, **more},
                st.sampled_from([STDIO, REMOTE, {"type": "aggregate"}, {"transportType": "inline"}]),
                st.dictionaries(_KEYS, st.just(MANUAL) | _JSON, max_size=4),
            )
            | _JSON,
            max_size=3,
        ),
    },
)


class AnyJsonTests(SynchronousTestCase):
    """Whatever the file says."""

    def _examine(self, value: Any, environ: dict[str, str] | None) -> str:
        config, problems = examine(json.dumps(value, allow_nan=False).encode(), environ)
        self.assertEqual(config is None, any(problem.severity == "error" for problem in problems))
        for problem in problems:
            self.assertTrue(problem.path or problem.message)
            self.assertTrue(str(problem).isprintable(), problem)
        return "\n".join(map(str, problems)) + repr(config)

    @settings(max_examples=150, deadline=None)
    @given(_JSON.filter(_finite) | _SHAPED.filter(_finite))
    def test_any_value(self, value: Any) -> None:
        """Any JSON is a config or problems, with and without an environment."""
        self._examine(value, {})
        self._examine(value, None)

    @settings(max_examples=100, deadline=None)
    @given(_SHAPED.filter(_finite), st.integers(0, 2))
    def test_secrets_stay(self, value: Any, form: int) -> None:
        """A secret, literal, from a variable or in a template, is in no message and no repr."""
        texts = (HUSH, {"$env": "V"}, {"$userToken": HUSH + "{{token}}"})
        told = self._examine(_everywhere(value, texts[form]), {"V": HUSH})
        self.assertNotIn(HUSH, told)


_SECRET_KEYS = frozenset(
    {"password", "tokens", "jwtSecret", "encryptionKey", "clientSecret", "args", "env", "headers", "url"}
)


def _everywhere(value: Any, text: Any, *, secret: bool = False) -> Any:
    """Put a text wherever a secret can be, and where it was put by mistake."""
    if isinstance(value, dict):
        return {
            key: _everywhere(item, text, secret=secret or key in _SECRET_KEYS) for key, item in value.items()
        }
    if isinstance(value, list):
        return [_everywhere(item, text, secret=secret) for item in value]
    return text if secret and isinstance(value, str) else value
