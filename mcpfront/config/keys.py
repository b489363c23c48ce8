"""The words of which the model is made: kinds of values and the rules that types alone cannot say."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from mcpfront.config.reference import Secret, Template


class Section(Struct, rename="camel", frozen=True):
    """An object of the file; its keys are the fields in camelCase, described in its docstring."""


Text = Annotated[str, Meta(extra={"form": "text"})]
"""A string, or a reference to an environment variable."""

NonemptyText = Annotated[Text, Meta(extra={"nonempty": True})]
Nonempty = Annotated[str, Meta(extra={"nonempty": True})]

Pattern = Annotated[str, Meta(extra={"pattern": True})]
"""A regular expression, in which a dollar sign is no mistake."""

Duration = Annotated[float, Meta(extra={"form": "duration"}, ge=0)]
"""Seconds; a Go duration string in the file."""

PositiveDuration = Annotated[Duration, Meta(extra={"positive": True})]
DurationOrDefault = Annotated[Duration, Meta(extra={"zero": "default"})]

Size = Annotated[int, Meta(ge=1024, le=2**31 - 1)]
"""Bytes of which some are needed for anything to work."""

Count = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Positive = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Warm = Annotated[int, Meta(ge=0, le=1000)]

EnvSecret = Annotated[Secret, Meta(extra={"env_only": True, "nonempty": True})]
"""A secret that is only taken from an environment variable."""

AdvisedEnvSecret = Annotated[Secret, Meta(extra={"env_advised": True, "nonempty": True})]
"""A secret that may stand in the file, with a warning."""

NonemptySecret = Annotated[Secret, Meta(extra={"nonempty": True})]
NonemptyTemplate = Annotated[Template, Meta(extra={"nonempty": True})]

PlainTemplate = Annotated[Template, Meta(extra={"user_token": False})]
"""A string or a reference to an environment variable, which no user's token can be part of."""

FilterMode = Annotated[Literal["allow", "block", ""], Meta(extra={"fold": True})]

Internal = Meta(extra={"internal": True})
"""Marks a field that is computed and is no key of the file."""

NotNull = Meta(extra={"null": False})
"""Marks a key that may be absent, but not null."""

IGNORED: Final[dict[str, frozenset[str]]] = {
    "Proxy": frozenset({"admin"}),
    "Options": frozenset({"logEnabled", "authTokens"}),
}
"""Keys of each section that other gateways know and that do nothing here."""

SILENT: Final[dict[str, frozenset[str]]] = {"Config": frozenset({"$schema"})}
"""Keys that are nobody's business but the editor's."""
