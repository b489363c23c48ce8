"""Tests of mcpfront (authn)."""
