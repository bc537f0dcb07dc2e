"""What the page shows, as escaped HTML."""
