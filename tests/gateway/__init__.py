"""Tests of mcpfront (gateway)."""
