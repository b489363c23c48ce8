"""Who is calling: a chain of authenticators that yields a Principal or a challenge."""
