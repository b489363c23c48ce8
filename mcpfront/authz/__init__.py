"""May they: pure decisions over (principal, server, method, name)."""
