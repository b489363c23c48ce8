"""MCP servers as the gateway reaches them. Adapters never import each other."""
