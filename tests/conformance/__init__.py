"""Tests of mcpfront (conformance)."""
