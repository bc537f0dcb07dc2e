"""Question + scope -> ranked sources: query, expansion, routing, hybrid search, reranking, pages."""
