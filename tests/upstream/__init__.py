"""Tests of mcpfront (upstream)."""
