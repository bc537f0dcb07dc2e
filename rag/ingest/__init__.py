"""Pages -> passages, and the queue that takes files from upload to index."""
