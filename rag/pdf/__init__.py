"""PDF bytes -> pages: text, words with boxes, page labels, outline. Untrusted files are opened in a child process."""
