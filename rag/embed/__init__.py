"""Texts -> unit vectors, (n, d) float32."""
