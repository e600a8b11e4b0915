"""Doorbells: ways to learn that there may be work."""
