"""Tests of mcpfront (integration)."""
