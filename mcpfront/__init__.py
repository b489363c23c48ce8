"""The front door of a team's MCP servers."""

__version__ = "0.1.0"
