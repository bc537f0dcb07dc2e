"""Pages -> passages, and the queue of jobs that carries files from upload to index."""
