"""GLM: which checkpoints exist, how their prompts are built, how they are loaded and generate.

Also the readers that need no weights: `quote` (word for word from the sources) and `remote` (a server). Knows of
`rag` only the Reader protocol and the exception tree.
"""
