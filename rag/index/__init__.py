"""Search indexes over vectors and over terms: embedded FAISS and BM25, derived from the store and rebuilt from it."""
