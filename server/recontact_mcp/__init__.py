"""What an MCP client connects to."""
