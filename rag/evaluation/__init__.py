"""Saved questions with known pages, runs over them, and retrieval metrics."""
