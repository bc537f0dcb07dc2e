"""Whole-document requests: what a document is and what it says, from its own sentences."""
