"""Tests of mcpfront (config)."""
