"""Questions about figures -> the value, looked up in tables or computed from their cells."""
