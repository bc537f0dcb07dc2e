"""The two oldest systems, GLM-10B with its relatives and GLM-130B, which fill in blanks rather than chat.

Their texts, which include sources and question, end with a mask, and the answer is what the model puts in its place.
"""
