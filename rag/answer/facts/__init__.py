"""Facts that documents state about themselves or their company: where, who, when, how many."""
