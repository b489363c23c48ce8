"""Tests of mcpfront."""
