"""Clients that trust nobody: every answer is bounded in size and time, and its failure becomes a message."""
