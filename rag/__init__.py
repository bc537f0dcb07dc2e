"""Documents in, sources out: the pipeline from PDF bytes to cited answers.

One module per verb, in the order of the pipeline: load, split, embed, index, store, search, pack, check,
evaluate; `engine` runs them. Knows nothing of the web page, and of a model only the Reader protocol in `reader`.
"""
