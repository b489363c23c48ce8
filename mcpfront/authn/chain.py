"""Which authenticator guards a server."""

from __future__ import annotations

from mcpfront.authn.base import ANONYMOUS, Authenticator, Caller, Principal
from mcpfront.authn.service import ServiceAuthenticator, basic_entry, bearer_entry
from mcpfront.config.model import Proxy, Server, ServiceAuth
from mcpfront.errors import Unauthorized

_NO_SIGN_IN = (
    "this server asks for OAuth sign-in, which this version does not offer: "
    'add "serviceAuths" to the server in the config and send one of those credentials'
)


class OpenAuthenticator:
    """Let everybody in as the same nobody."""

    def authenticate(self, caller: Caller) -> Principal:  # noqa: ARG002 - asks nobody
        """Return the anonymous principal, whatever credential was sent."""
        return ANONYMOUS


class ClosedAuthenticator:
    """Let nobody in: the config asks for a sign-in that this version does not have."""

    def authenticate(self, caller: Caller) -> Principal:  # noqa: ARG002 - no credential would do
        """Refuse.

        Raises:
            Unauthorized: always, with the remedy.
        """
        raise Unauthorized(_NO_SIGN_IN, headers=((b"WWW-Authenticate", b'Bearer realm="mcpfront"'),))


def authenticator_for(server: Server, proxy: Proxy) -> Authenticator:
    """Choose the authenticator of a server; no setting opens one by mistake.

    Args:
        server: its ``service_auths`` are used when there are any, with or without ``proxy.auth``.
        proxy: its ``auth`` closes a server that has no ``service_auths``.
    """
    if server.service_auths:
        return service_authenticator(server.service_auths)
    return OpenAuthenticator() if proxy.auth is None else ClosedAuthenticator()


def service_authenticator(entries: list[ServiceAuth]) -> ServiceAuthenticator:
    """Prepare the credentials of ``serviceAuths``; an entry without a usable credential accepts nothing."""
    bearer = [
        bearer_entry(token.reveal())
        for entry in entries
        if entry.type == "bearer"
        for token in entry.tokens
        if token.reveal()
    ]
    basic = [
        basic_entry(entry.username, entry.password.reveal())
        for entry in entries
        if entry.type == "basic" and entry.username and entry.password is not None and entry.password.reveal()
    ]
    return ServiceAuthenticator(bearer, basic)
