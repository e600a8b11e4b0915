"""Bytes of the protocols, made by hand."""
