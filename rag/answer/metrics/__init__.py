"""Questions about figures of accounts -> items of the financial statements, or metrics computed from them."""
