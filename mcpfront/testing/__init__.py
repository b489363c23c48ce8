"""Public test kit: in-memory harness and hostile servers."""
