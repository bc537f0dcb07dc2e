"""Documents in, sources out: the pipeline from PDF bytes to cited answers.

One folder per stage, in the order of the pipeline: `pdf`, `ingest`, `embed`, `store`, `index`, `retrieve`, `answer`;
beside them `evaluation`. `engine` runs them. Knows nothing of the web page, and of a model only the protocol in
`reader`.
"""
