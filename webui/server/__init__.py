"""The page on a port: who may reach it, how files come in, which session is whose."""
