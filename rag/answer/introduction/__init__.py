"""The introduction of a document: its title, key sentences, and questions that it answers."""
