"""The hot path: routes, sessions and streams between a client and its upstream connection."""
