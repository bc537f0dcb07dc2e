"""GLM: which checkpoints exist, how their prompts are built, how they are loaded and generate.

Also `remote`, a reader that asks a server. Knows of
`rag` only the Reader protocol and the exception tree.
"""
