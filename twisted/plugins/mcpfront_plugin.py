"""Register the ``mcpfront`` subcommand of ``twistd``; nothing else may be imported here."""

from twisted.application.service import ServiceMaker

mcpfront = ServiceMaker("mcpfront", "mcpfront.tap", "The front door of a team's MCP servers.", "mcpfront")
