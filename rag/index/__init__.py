"""Vectors and terms -> searchable: FAISS and an incremental BM25. Derived from the store, rebuilt from it."""
