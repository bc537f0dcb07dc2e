"""Claims: each sentence of an answer compared with its sources."""
