"""Rules of sign-in with OAuth and of the tokens that users bring."""

from __future__ import annotations

import re
import warnings
from typing import Final

from mcpfront.config.model_auth import Auth, Idp, UserAuthentication
from mcpfront.config.problem import Findings, Path
from mcpfront.config.reference import PLACEHOLDER, Secret
from mcpfront.config.urls import web_url_fault

_SHORTEST_KEY: Final = 32
_LONGEST_PATTERN: Final = 1000


def check_auth(auth: Auth, path: Path, findings: Findings) -> None:
    """Check ``proxy.auth``."""
    findings.note(
        path, "is read, but this version has no sign-in; only servers with serviceAuths let anybody in"
    )
    _web_url(auth.issuer, (*path, "issuer"), findings)
    _keys(auth, path, findings)
    if not (auth.allowed_domains or auth.idp.allowed_orgs) and findings.sound(path):
        findings.error(
            (*path, "allowedDomains"), "or idp.allowedOrgs must have an entry, else nobody may sign in"
        )
    for index, domain in enumerate(auth.allowed_domains):
        if not domain or "@" in domain or " " in domain:
            findings.error(
                (*path, "allowedDomains", index), "must be a domain without @, such as example.com"
            )
    if auth.storage == "firestore" and not auth.gcp_project and findings.sound((*path, "gcpProject")):
        findings.error((*path, "gcpProject"), 'is required with storage "firestore"')
    if (*path, "idp") not in findings.refused:
        _idp(auth.idp, (*path, "idp"), findings)


def check_user_authentication(way: UserAuthentication, path: Path, findings: Findings) -> None:
    """Check ``userAuthentication`` of one server."""
    if not findings.sound((*path, "type")):
        return
    if way.type == "manual":
        _manual(way, path, findings)
    else:
        _connect(way, path, findings)
    if PLACEHOLDER not in way.token_format and findings.sound((*path, "tokenFormat")):
        findings.warning(
            (*path, "tokenFormat"), f"has no {PLACEHOLDER}, so every user's token would be this text"
        )


def _keys(auth: Auth, path: Path, findings: Findings) -> None:
    if _size(auth.jwt_secret) < _SHORTEST_KEY:
        findings.error((*path, "jwtSecret"), f"must be at least {_SHORTEST_KEY} bytes long")
    if auth.encryption_key.known and _size(auth.encryption_key) != _SHORTEST_KEY:
        findings.error((*path, "encryptionKey"), f"must be exactly {_SHORTEST_KEY} bytes long")


def _size(secret: Secret) -> int:
    return len(secret.reveal().encode()) if secret.known else _SHORTEST_KEY


def _idp(idp: Idp, path: Path, findings: Findings) -> None:
    for name, url in (
        ("redirectUri", idp.redirect_uri),
        ("discoveryUrl", idp.discovery_url),
        ("authorizationUrl", idp.authorization_url),
        ("tokenUrl", idp.token_url),
        ("userInfoUrl", idp.user_info_url),
    ):
        _web_url(url, (*path, name), findings)
    if not findings.sound((*path, "provider")):
        return
    if idp.provider == "azure" and not idp.tenant_id and findings.sound((*path, "tenantId")):
        findings.error((*path, "tenantId"), "is required with the provider azure")
    if idp.provider == "oidc" and not idp.discovery_url and findings.sound((*path, "discoveryUrl")):
        _oidc_endpoints(idp, path, findings)
    if idp.provider != "github" and idp.allowed_orgs:
        findings.warning((*path, "allowedOrgs"), "only github names organisations, so nobody could sign in")
    if idp.provider != "oidc" and idp.scopes:
        findings.note((*path, "scopes"), "is used with the provider oidc only")


def _oidc_endpoints(idp: Idp, path: Path, findings: Findings) -> None:
    endpoints = {
        "authorizationUrl": idp.authorization_url,
        "tokenUrl": idp.token_url,
        "userInfoUrl": idp.user_info_url,
    }
    for name, url in endpoints.items():
        if not url and findings.sound((*path, name)):
            findings.error((*path, name), "is required with the provider oidc unless there is a discoveryUrl")


def _manual(way: UserAuthentication, path: Path, findings: Findings) -> None:
    for name, text in (("displayName", way.display_name), ("instructions", way.instructions)):
        if not text and findings.sound((*path, name)):
            findings.warning((*path, name), "is missing; users are shown it when they are asked for a token")
    if way.help_url:
        _web_url(way.help_url, (*path, "helpUrl"), findings)
    if fault := _pattern_fault(way.validation):
        findings.error((*path, "validation"), fault)


def _connect(way: UserAuthentication, path: Path, findings: Findings) -> None:
    required = {
        "clientId": way.client_id,
        "authorizationUrl": way.authorization_url,
        "tokenUrl": way.token_url,
    }
    for name, text in required.items():
        if not text and findings.sound((*path, name)):
            findings.error((*path, name), 'is required with type "oauth"')
    _web_url(way.authorization_url, (*path, "authorizationUrl"), findings)
    _web_url(way.token_url, (*path, "tokenUrl"), findings)
    if way.client_secret is None:
        findings.warning((*path, "clientSecret"), "is missing; few services accept a client without one")
    if not way.scopes and findings.sound((*path, "scopes")):
        findings.warning((*path, "scopes"), "is empty; most services then grant next to nothing")


def _web_url(url: str, path: Path, findings: Findings) -> None:
    if url and (fault := web_url_fault(url)):
        findings.error(path, fault)


def _pattern_fault(pattern: str) -> str | None:
    if len(pattern) > _LONGEST_PATTERN:
        return f"must be at most {_LONGEST_PATTERN} characters long"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            re.compile(pattern.replace(r"\z", r"\Z"))
    except (re.error, OverflowError, RecursionError):
        return "is not a regular expression"
    return None
