"""What people see: a Gradio Blocks page over an Engine. Knows nothing of torch, FAISS or PDF."""
