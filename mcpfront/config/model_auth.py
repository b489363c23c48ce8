"""The part of the model about people: how they sign in, and how they bring tokens of their own."""

# ruff: noqa: RUF012 - msgspec gives each instance its own copy of an empty list or dict

from __future__ import annotations

from typing import Annotated, Literal

from mcpfront.config.keys import (
    AdvisedEnvSecret,
    EnvSecret,
    NonemptyText,
    NotNull,
    Pattern,
    PositiveDuration,
    Section,
    Text,
)
from mcpfront.config.reference import PLACEHOLDER


class Idp(Section, frozen=True, kw_only=True):
    """The identity provider at which people sign in.

    Attributes:
        provider: Which provider.
        client_id: The gateway's client id at the provider.
        client_secret: Its secret, from an environment variable.
        redirect_uri: The gateway's callback URL as registered at the provider.
        tenant_id: The tenant (azure).
        discovery_url: The discovery document (oidc); it wins over the endpoints.
        authorization_url: The authorization endpoint, if not the provider's usual one.
        token_url: The token endpoint, if not the provider's usual one.
        user_info_url: The userinfo endpoint; for github the base of its API.
        scopes: Scopes to ask for (oidc).
        allowed_orgs: Organisations whose members may sign in (github).
    """

    provider: Literal["google", "azure", "github", "oidc"]
    client_id: NonemptyText
    client_secret: EnvSecret
    redirect_uri: NonemptyText
    tenant_id: Text = ""
    discovery_url: Text = ""
    authorization_url: Text = ""
    token_url: Text = ""
    user_info_url: Text = ""
    scopes: list[str] = []
    allowed_orgs: list[str] = []


class Auth(Section, frozen=True, kw_only=True):
    """Sign-in with OAuth.

    Attributes:
        kind: The kind of sign-in.
        issuer: The issuer of tokens, a URL.
        idp: Where people sign in.
        allowed_domains: E-mail domains that may sign in.
        allowed_origins: Origins of browser clients to accept, or *.
        token_ttl: How long access tokens live.
        refresh_token_ttl: How long refresh tokens live.
        refresh_token_scopes: Scopes that bring a refresh token; when empty, every sign-in brings one.
        storage: Where grants and tokens are kept; empty is memory.
        gcp_project: The project (firestore).
        firestore_database: The database (firestore).
        firestore_collection: The collection (firestore).
        jwt_secret: Signs tokens; at least 32 bytes, from an environment variable.
        encryption_key: Encrypts what is stored; exactly 32 bytes, from an environment variable.
        dangerously_accept_issuer_audience: Accept tokens whose audience is the issuer instead of one server.
    """

    kind: Literal["oauth"]
    issuer: NonemptyText
    idp: Annotated[Idp, NotNull]
    allowed_domains: list[str] = []
    allowed_origins: list[str] = []
    token_ttl: PositiveDuration = 3600.0
    refresh_token_ttl: PositiveDuration = 720 * 3600.0
    refresh_token_scopes: list[str] = []
    storage: Literal["memory", "firestore", ""] = "memory"
    gcp_project: Text = ""
    firestore_database: str = "(default)"
    firestore_collection: str = "mcp_front_data"
    jwt_secret: EnvSecret
    encryption_key: EnvSecret
    dangerously_accept_issuer_audience: bool = False


class UserAuthentication(Section, frozen=True, kw_only=True):
    """How a user gives the gateway a token for the service behind a server.

    Attributes:
        type: The user pastes a token (manual), or connects to the service (oauth).
        display_name: The service's name for people.
        instructions: How to get the token (manual).
        help_url: A page about it (manual).
        validation: A regular expression that is found in every good token (manual).
        client_id: The gateway's client id at the service (oauth).
        client_secret: Its secret (oauth); best a reference to an environment variable.
        authorization_url: The service's authorization endpoint (oauth).
        token_url: The service's token endpoint (oauth).
        scopes: Scopes to ask for (oauth).
        token_format: The text that takes a token's place, with {{token}} where the token stands.
    """

    type: Literal["manual", "oauth"]
    display_name: str = ""
    instructions: str = ""
    help_url: str = ""
    validation: Pattern = ""
    client_id: Text = ""
    client_secret: AdvisedEnvSecret | None = None
    authorization_url: str = ""
    token_url: str = ""
    scopes: list[str] = []
    token_format: str = PLACEHOLDER
