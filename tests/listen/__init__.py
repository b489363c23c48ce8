"""Tests of mcpfront (listen)."""
