"""Door 1: endpoints, HTTP engines and the exchange they hand to the gateway. Knows nothing of MCP."""
