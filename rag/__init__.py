"""Documents in, sources out: the pipeline from PDF bytes to cited answers.

One folder per stage, in the order of the pipeline: `pdf`, `ingest`, `embed`, `store`, `index`, `retrieve`, `answer`;
besides them `evaluation`. `engine` runs them. Knows nothing about the web page, and only the protocol in `reader` about
models.
"""
