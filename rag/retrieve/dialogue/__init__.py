"""How questions of a conversation hang together, in English and Chinese."""
