"""Tests of rag/answer/facts."""
