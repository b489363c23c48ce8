"""Tests of mcpfront (telemetry)."""
