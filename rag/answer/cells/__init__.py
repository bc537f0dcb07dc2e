"""Answers from tables whose cells are texts: "7.8 kg", "¥49/月", "A disk has failed"."""
