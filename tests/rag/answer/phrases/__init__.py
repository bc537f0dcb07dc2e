"""Tests of rag/answer/phrases."""
