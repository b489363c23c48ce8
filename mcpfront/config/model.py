"""The model of the config file: one set of types for reading, validating, the JSON Schema and the gateway.

Field names are the file's keys in snake_case; durations are seconds, sizes bytes, references resolved.
"""

# ruff: noqa: RUF012 - msgspec gives each instance its own copy of an empty list or dict

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from msgspec import field

from mcpfront.config.keys import AdvisedEnvSecret as Password
from mcpfront.config.keys import (
    Count,
    Duration,
    DurationOrDefault,
    FilterMode,
    Internal,
    Nonempty,
    NonemptySecret,
    NonemptyTemplate,
    NonemptyText,
    NotNull,
    PlainTemplate,
    Positive,
    PositiveDuration,
    Section,
    Size,
    Warm,
)
from mcpfront.config.model_auth import Auth, UserAuthentication
from mcpfront.config.problem import Problem
from mcpfront.config.reference import Secret, Template

__all__ = [
    "Auth",
    "Config",
    "Discovery",
    "Inline",
    "InlineTool",
    "Limits",
    "Options",
    "Proxy",
    "Secret",
    "Server",
    "ServiceAuth",
    "Sessions",
    "Template",
    "ToolFilter",
    "UserAuthentication",
]

STDIO_TIMEOUT = 600.0
"""Seconds a call of a stdio server may take when the file does not say."""

Strings = list[str]


class Sessions(Section, frozen=True, kw_only=True):
    """How long sessions live and how many there may be.

    Attributes:
        timeout: An idle session ends after this time.
        cleanup_interval: How often idle sessions are looked for.
        max_per_user: Sessions, and processes, of one user on one server; 0 is unlimited.
        max_total: Sessions, and processes, of all users together.
    """

    timeout: DurationOrDefault = 300.0
    cleanup_interval: DurationOrDefault = 60.0
    max_per_user: Count = 10
    max_total: Positive = 1000


class Limits(Section, frozen=True, kw_only=True):
    """Bounds of what the gateway takes in, keeps and waits for.

    Attributes:
        body: Bytes of a request body.
        body_unauthenticated: Bytes of a request body without credentials.
        message: Bytes of one message of a server.
        header_timeout: A request's head must have arrived in this time.
        body_timeout: A request's body must have arrived in this time.
        drain: Calls in flight may finish in this time when the gateway stops.
        replay_bytes: Bytes kept per session for resumed streams; 0 keeps none.
        replay_events: Events kept per session for resumed streams; 0 keeps none.
        stream_buffer: Bytes that may wait for a slow client before its stream is ended.
    """

    body: Size = 4 * 1024 * 1024
    body_unauthenticated: Size = 16 * 1024
    message: Size = 16 * 1024 * 1024
    header_timeout: PositiveDuration = 20.0
    body_timeout: PositiveDuration = 60.0
    drain: Duration = 3.0
    replay_bytes: Count = 1024 * 1024
    replay_events: Count = 1000
    stream_buffer: Size = 1024 * 1024


class Proxy(Section, frozen=True, kw_only=True):
    """The gateway itself: where it listens, what it is called, who may come in.

    Attributes:
        base_url: The public URL; its path is the base path of every route.
        addr: Where to listen, such as 127.0.0.1:8080, :8080 or a Twisted endpoint description.
        name: A name for people; nothing depends on it.
        auth: Sign-in with OAuth; without it only serviceAuths protect servers.
        sessions: Sessions and their limits.
        allowed_hosts: More Host headers to accept, each host or host:port.
        allowed_origins: Origins of browser clients to accept, or *.
        limits: Bounds of bodies, messages, buffers and waits.
    """

    base_url: NonemptyText = field(name="baseURL")
    addr: NonemptyText
    name: str = ""
    auth: Annotated[Auth | None, NotNull] = None
    sessions: Sessions = Sessions()
    allowed_hosts: list[str] = []
    allowed_origins: list[str] = []
    limits: Limits = Limits()

    @property
    def base_path(self) -> str:
        """The path of the base URL, empty for the root, else such as ``/x``."""
        return urlsplit(self.base_url).path.rstrip("/")

    @property
    def origins(self) -> list[str]:
        """Every origin that is allowed: the proxy's own list and that of ``auth``."""
        return [*self.allowed_origins, *(self.auth.allowed_origins if self.auth else ())]


class ToolFilter(Section, frozen=True, kw_only=True):
    """Which tools of a server exist for clients.

    Attributes:
        mode: allow makes only these tools exist, block all but these.
        list: Names of tools.
    """

    mode: FilterMode = ""
    list: Strings = []


class Options(Section, frozen=True, kw_only=True):
    """Options of a server.

    Attributes:
        tool_filter: Hides tools and refuses calls of them.
    """

    tool_filter: ToolFilter | None = None


class ServiceAuth(Section, frozen=True, kw_only=True):
    """A fixed credential with which a machine may use a server.

    Attributes:
        type: What the client sends, a bearer token or a user name and password.
        tokens: The bearer tokens that are accepted.
        username: The user's name, for basic.
        password: The password, for basic; best a reference to an environment variable.
        user_token: A token for the service behind the server, which this credential stands for.
    """

    type: Literal["bearer", "basic"]
    tokens: list[NonemptySecret] = []
    username: str = ""
    password: Password | None = None
    user_token: Template | None = None


class InlineTool(Section, frozen=True, kw_only=True):
    """A tool that is one command.

    Attributes:
        name: The tool's name.
        description: What it does, for the model.
        input_schema: JSON Schema of its arguments.
        command: The program.
        args: Its arguments.
        env: Variables of its environment.
        timeout: The run is ended after this time; 0 is no limit.
    """

    name: Nonempty
    description: str = ""
    input_schema: dict[str, Any] | None = None
    command: Nonempty
    args: list[PlainTemplate] = []
    env: dict[str, PlainTemplate] = {}
    timeout: Duration = 0.0


class Inline(Section, frozen=True, kw_only=True):
    """A server whose tools are commands written in this file.

    Attributes:
        description: What the server offers.
        tools: The tools.
    """

    description: str = ""
    tools: list[InlineTool] = []


class Discovery(Section, frozen=True, kw_only=True):
    """How an aggregate learns the tools of its members.

    Attributes:
        timeout: Time for asking all members.
        cache_ttl: How long the answer is used.
        max_conns_per_user: Connections of one user; 0 is unlimited.
    """

    timeout: PositiveDuration = 10.0
    cache_ttl: PositiveDuration = 60.0
    max_conns_per_user: Count = 0


class Server(Section, frozen=True, kw_only=True):
    """One MCP server behind the gateway.

    Attributes:
        type: One server (direct), or the tools of several (aggregate).
        transport_type: How the server is reached; an aggregate speaks sse unless it says streamable-http.
        command: The program to start (stdio).
        args: Its arguments (stdio).
        env: Variables of its environment (stdio).
        cwd: The absolute path of the directory it runs in (stdio).
        env_passthrough: Names of variables of the gateway's own environment that it may see (stdio).
        isolation: Who shares one process (stdio).
        warm: Processes kept started ahead of use (stdio).
        handshake_timeout: Time for its start and for initialize (stdio).
        url: Its URL (sse, streamable-http).
        headers: Headers to send to it (sse, streamable-http).
        timeout: Time for one call; 0 is the default, which is 10m for stdio and else no limit.
        inline: Its tools (inline).
        options: Options of the server.
        requires_user_token: Whether each user brings a token of their own for the service behind it.
        user_authentication: How users bring that token.
        service_auths: Fixed credentials with which machines may use it.
        servers: Names of the members (aggregate); all that are eligible when absent.
        delimiter: What stands between a member's name and a tool's name (aggregate).
        discovery: How the members' tools are learned (aggregate).
    """

    name: Annotated[str, Internal] = ""
    type: Literal["direct", "aggregate"] = "direct"
    transport_type: Literal["stdio", "sse", "streamable-http", "inline", ""] = ""
    command: NonemptyText = ""
    args: list[Template] = []
    env: dict[str, Template] = {}
    cwd: NonemptyText | None = None
    env_passthrough: list[str] = []
    isolation: Literal["session", "user", "shared"] = "session"
    warm: Warm = 0
    handshake_timeout: PositiveDuration = 30.0
    url: NonemptyTemplate | None = None
    headers: dict[str, Template] = {}
    timeout: Duration = 0.0
    inline: Inline | None = None
    options: Options = Options()
    requires_user_token: bool = False
    user_authentication: UserAuthentication | None = None
    service_auths: list[ServiceAuth] = []
    servers: list[str] | None = None
    delimiter: str = "."
    discovery: Discovery = Discovery()


class Config(Section, frozen=True, kw_only=True):
    """The whole file.

    Attributes:
        version: The version of the format, v0.0.1-DEV_EDITION with any suffix.
        proxy: The gateway itself.
        mcp_servers: The MCP servers by name; the name is part of their URLs.
    """

    version: str
    proxy: Proxy
    mcp_servers: dict[str, Server]
    warnings: Annotated[tuple[Problem, ...], Internal] = ()
