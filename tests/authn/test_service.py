"""Service credentials: bearer tokens and names with passwords."""

from base64 import b64encode

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mcpfront.authn.service import MAX_CREDENTIAL, ServiceAuthenticator, basic_entry, bearer_entry
from mcpfront.errors import Unauthorized
from mcpfront.testing.exchange import MemoryExchange

BOTH = ServiceAuthenticator(
    [bearer_entry("token-one"), bearer_entry("tökén")],
    [basic_entry("alice", "pa:ss"), basic_entry("böb", "pässword")],
)
TOKENS = ServiceAuthenticator([bearer_entry("token-one")], [])
PASSWORDS = ServiceAuthenticator([], [basic_entry("alice", "pa:ss")])


def sent(*values, query=b""):
    """Make a request with Authorization headers."""
    return MemoryExchange(headers={b"authorization": list(values)}, query=query)


def basic(text):
    """Write a Basic credential."""
    return b"Basic " + b64encode(text.encode())


class BearerTests(SynchronousTestCase):
    """Tokens."""

    def test_accepted(self):
        """A listed token proves a principal that is named by a digest of it."""
        principal = BOTH.authenticate(sent(b"Bearer token-one"))
        self.assertEqual(principal.proof, "bearer")
        self.assertRegex(principal.subject, r"^token-[0-9a-f]{12}$")
        self.assertNotIn(principal.subject[6:], bearer_entry("token-one").digest.hex())

    def test_one_principal_each(self):
        """Every token is a principal of its own, the same each time."""
        one, two = (BOTH.authenticate(sent(b"Bearer " + t)) for t in (b"token-one", "tökén".encode()))
        self.assertNotEqual(one.subject, two.subject)
        self.assertEqual(one, TOKENS.authenticate(sent(b"Bearer token-one")))

    def test_spelling(self):
        """The scheme is compared without case, spaces around the token do not count."""
        for value in (b"bearer token-one", b"BEARER  token-one", b"Bearer token-one "):
            self.assertEqual(BOTH.authenticate(sent(value)).proof, "bearer")

    def test_refused(self):
        """Anything but a listed token is refused, with the error that RFC 6750 has for it."""
        for value in (
            b"Bearer x",
            b"Bearer",
            b"Bearer ",
            b"Bearer token-one,",
            b"Bearer Token-one",
            b"Bearer token",
        ):
            error = self.assertRaises(Unauthorized, TOKENS.authenticate, sent(value))
            challenge = dict(error.headers)[b"WWW-Authenticate"]
            self.assertTrue(
                challenge.startswith(b'Bearer realm="mcpfront", error="invalid_token", error_desc')
            )

    def test_query(self):
        """A token in the query is not looked at."""
        with self.assertRaises(Unauthorized):
            TOKENS.authenticate(sent(query=b"access_token=token-one"))

    def test_secrets_stay_inside(self):
        """Neither a representation nor a refusal shows a token that is listed or that was sent."""
        error = self.assertRaises(Unauthorized, BOTH.authenticate, sent(b"Bearer sesame"))
        for text in (
            repr(bearer_entry("token-one")),
            repr(basic_entry("alice", "pa:ss")),
            repr(error),
            str(error.headers),
        ):
            for secret in ("token-one", "sesame", "pa:ss"):
                self.assertNotIn(secret, text)


class BasicTests(SynchronousTestCase):
    """Names with passwords."""

    def test_accepted(self):
        """A listed name with its password proves the principal of that name; the password may have colons."""
        for credential, name in (("alice:pa:ss", "alice"), ("böb:pässword", "böb")):
            principal = BOTH.authenticate(sent(basic(credential)))
            self.assertEqual((principal.subject, principal.proof), (name, "basic"))

    def test_refused(self):
        """A wrong name, a wrong password, or another user's password is refused."""
        for credential in ("alice:pass", "alice:", "bob:pa:ss", ":", "böb:pa:ss", "alice:pässword"):
            with self.assertRaises(Unauthorized):
                BOTH.authenticate(sent(basic(credential)))

    def test_malformed(self):
        """A credential that is no base64 of name and password is refused with a text that says so."""
        for value, words in (
            (b"Basic !!", "base64"),
            (b"Basic YQ", "base64"),
            (b"Basic YQ==", "user:password"),
            (b"Basic \xff", "base64"),
            (b"Basic", "user:password"),
        ):
            error = self.assertRaises(Unauthorized, PASSWORDS.authenticate, sent(value))
            self.assertIn(words, error.message)


class ChallengeTests(SynchronousTestCase):
    """What a refused client is told."""

    def challenges(self, authenticator, *values):
        """Return the challenges of a refusal."""
        error = self.assertRaises(Unauthorized, authenticator.authenticate, sent(*values))
        return [value for name, value in error.headers if name == b"WWW-Authenticate"], error.message

    def test_kinds(self):
        """There is a challenge for each kind of credential that the server accepts, and no other."""
        bearer, password = b'Bearer realm="mcpfront"', b'Basic realm="mcpfront", charset="UTF-8"'
        self.assertEqual(self.challenges(BOTH)[0], [bearer, password])
        self.assertEqual(self.challenges(TOKENS)[0], [bearer])
        self.assertEqual(self.challenges(PASSWORDS)[0], [password])

    def test_error_only_for_bearer(self):
        """An error code stands in the challenge only where a bearer token was sent."""
        for values in ((), (basic("alice:x"),), (b"Negotiate x",), (b"Bearer a", b"Bearer b")):
            self.assertNotIn(b"error=", b"".join(self.challenges(BOTH, *values)[0]))

    def test_wrong_kind(self):
        """A kind of credential that this server does not take is told apart from a wrong one."""
        self.assertIn("Bearer <token>", self.challenges(TOKENS, basic("alice:pa:ss"))[1])
        self.assertIn("Basic <", self.challenges(PASSWORDS, b"Bearer token-one")[1])

    def test_several_headers(self):
        """Two credentials are refused, even if both are right."""
        message = self.challenges(BOTH, b"Bearer token-one", b"Bearer token-one")[1]
        self.assertIn("exactly one", message)

    def test_too_long(self):
        """A credential beyond any use is refused unread."""
        self.assertIn("too long", self.challenges(TOKENS, b"Bearer " + b"x" * MAX_CREDENTIAL)[1])

    def test_nothing_listed(self):
        """An authenticator without entries lets nobody in."""
        with self.assertRaises(Unauthorized):
            ServiceAuthenticator([], []).authenticate(sent(b"Bearer "))

    @given(st.lists(st.binary(max_size=80), max_size=3))
    def test_any_bytes(self, values):
        """Whatever the headers hold, the answer is a refusal in public words."""
        error = self.assertRaises(Unauthorized, BOTH.authenticate, sent(*values))
        self.assertTrue(error.message.isprintable())

    def test_every_entry_is_compared(self):
        """The first entry that fits does not end the comparison."""
        compared = []
        real = ServiceAuthenticator([bearer_entry(str(number)) for number in range(5)], [])

        def spy(one, two):
            compared.append(one)
            return one == two

        self.patch(__import__("mcpfront.authn.service", fromlist=["hmac"]).hmac, "compare_digest", spy)
        real.authenticate(sent(b"Bearer 0"))
        self.assertEqual(len(compared), 5)
