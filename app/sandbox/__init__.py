"""Sandboxes: the engine contract, `sandboxd` and its client."""
