"""Interfaces for programs: an HTTP API, OpenAI's chat completions and an MCP server, over the page's engine."""
