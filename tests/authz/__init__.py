"""Tests of mcpfront (authz)."""
