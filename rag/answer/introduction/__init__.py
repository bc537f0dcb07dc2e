"""What a document says of itself at first sight: its title, key sentences, and questions that it answers."""
