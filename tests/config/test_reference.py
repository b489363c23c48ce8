"""Secrets and templates: what they give and what they never tell."""

from __future__ import annotations

import pickle

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from mcpfront.config.reference import MissingUserToken, Pending, Secret, Template


class SecretTests(SynchronousTestCase):
    """A secret leaves by one door."""

    def test_reveal(self) -> None:
        """The text is there for who asks for it."""
        self.assertEqual(Secret("x").reveal(), "x")

    def test_never_shown(self) -> None:
        """No rendering shows the text, and no serialiser takes it."""
        for value in (Secret("hush"), Template("hush"), Template("hush{{token}}", needs_token=True)):
            self.assertNotIn("hush", f"{value!r} {value!s} {[value]}")
            self.assertRaises(TypeError, pickle.dumps, value)
            self.assertRaises(TypeError, msgspec.json.encode, value)
            self.assertFalse(hasattr(value, "__dict__"))

    def test_equality(self) -> None:
        """Secrets are equal when their texts are, and never to other things."""
        self.assertEqual(Secret("ü"), Secret("ü"))
        self.assertNotEqual(Secret("a"), Secret("b"))
        self.assertNotEqual(Secret("a"), "a")
        self.assertEqual(len({Secret("a"), Secret("a")}), 1)

    def test_known(self) -> None:
        """A text that was not resolved is told from an empty one."""
        self.assertFalse(Secret(Pending()).known)
        self.assertTrue(Secret("").known)


class TemplateTests(SynchronousTestCase):
    """A template takes the user's token or refuses."""

    def test_plain(self) -> None:
        """A plain text is itself, with or without a token, braces included."""
        for token in (None, "t"):
            self.assertEqual(Template("a {{token}}").render(token), "a {{token}}")

    def test_token(self) -> None:
        """Every placeholder is replaced by the token, as it is."""
        self.assertEqual(
            Template("{{token}}/{{token}}", needs_token=True).render("{{token}}\\1"),
            r"{{token}}\1/{{token}}\1",
        )

    def test_missing_token(self) -> None:
        """Without a token the text is refused, and the refusal does not show it."""
        error = self.assertRaises(MissingUserToken, Template("hush {{token}}", needs_token=True).render, None)
        self.assertNotIn("hush", error.message)
        self.assertEqual(error.status, 403)

    def test_equality(self) -> None:
        """Templates are equal when text and kind are."""
        self.assertEqual(Template("a"), Template("a"))
        self.assertNotEqual(Template("a"), Template("a", needs_token=True))
        self.assertNotEqual(Template("a"), "a")
        self.assertEqual(len({Template("a"), Template("a")}), 1)
