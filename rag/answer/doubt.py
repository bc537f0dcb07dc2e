"""How far an answer can be relied on: found, only the closest, or not in these documents; and what is missing."""
