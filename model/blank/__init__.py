"""The two oldest systems, which fill in blanks rather than chat: GLM-10B and its kind, and GLM-130B.

Their texts, sources and question included, end in a mask, and the answer is what the model puts in its place.
"""
