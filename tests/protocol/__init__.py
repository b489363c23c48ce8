"""Tests of mcpfront (protocol)."""
