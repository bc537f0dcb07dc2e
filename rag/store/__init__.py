"""Documents, pages, passages, vectors and jobs in SQLite; the PDFs themselves by their SHA-256."""
