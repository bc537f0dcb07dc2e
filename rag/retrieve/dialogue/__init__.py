"""How the questions of a conversation depend on each other, in English and Chinese."""
