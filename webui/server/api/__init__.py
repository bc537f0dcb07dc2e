"""Doors for programs: an HTTP API, OpenAI's chat completions and an MCP server, over the engine that the page uses."""
