"""Which authenticator guards a server."""

from types import SimpleNamespace

from twisted.trial.unittest import SynchronousTestCase

from mcpfront.authn.base import ANONYMOUS
from mcpfront.authn.chain import authenticator_for
from mcpfront.config.model import ServiceAuth
from mcpfront.config.reference import Secret
from mcpfront.errors import Unauthorized
from mcpfront.testing.exchange import MemoryExchange

BEARER = ServiceAuth(type="bearer", tokens=[Secret("t")])
BASIC = ServiceAuth(type="basic", username="alice", password=Secret("p"))


def chosen(entries, auth=None):
    """Return the authenticator for a server with these entries."""
    return authenticator_for(SimpleNamespace(service_auths=entries), SimpleNamespace(auth=auth))


class ChainTests(SynchronousTestCase):
    """The four cases, and entries that accept nothing."""

    def test_open(self):
        """Without any setting everybody is the same nobody, whatever was sent."""
        exchange = MemoryExchange(headers={b"authorization": b"Bearer t"})
        self.assertIs(chosen([]).authenticate(exchange), ANONYMOUS)

    def test_service(self):
        """Service credentials are asked for, with or without OAuth in the config."""
        for auth in (None, object()):
            authenticator = chosen([BEARER, BASIC], auth)
            bearer = authenticator.authenticate(MemoryExchange(headers={b"authorization": b"Bearer t"}))
            alice = authenticator.authenticate(
                MemoryExchange(headers={b"authorization": b"Basic YWxpY2U6cA=="})
            )
            self.assertEqual((bearer.proof, alice.subject), ("bearer", "alice"))
            with self.assertRaises(Unauthorized):
                authenticator.authenticate(MemoryExchange())

    def test_closed(self):
        """A server that asks for OAuth alone is closed and says what to add."""
        exchange = MemoryExchange(headers={b"authorization": b"Bearer t"})
        error = self.assertRaises(Unauthorized, chosen([], object()).authenticate, exchange)
        self.assertIn("serviceAuths", error.message)
        self.assertEqual(dict(error.headers)[b"WWW-Authenticate"], b'Bearer realm="mcpfront"')

    def test_unusable_entries(self):
        """Entries without a credential do not open the server; an empty one does not match an empty token."""
        for entry in (
            ServiceAuth(type="bearer"),
            ServiceAuth(type="bearer", tokens=[Secret("")]),
            ServiceAuth(type="basic", username="alice"),
            ServiceAuth(type="basic", username="alice", password=Secret("")),
            ServiceAuth(type="basic", tokens=[Secret("t")]),
        ):
            authenticator = chosen([entry])
            for sent in (b"Bearer ", b"Bearer t", b"Basic Og==", b"Basic YWxpY2U6"):
                with self.assertRaises(Unauthorized):
                    authenticator.authenticate(MemoryExchange(headers={b"authorization": sent}))
