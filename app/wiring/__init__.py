"""Composition root: a file for each process builds its use-case objects. The only place that picks concrete parts.

Nothing is imported here, so that each process meets its own parts alone: `sandboxd` and `live` never meet SQLAlchemy,
`worker` never meets Flask.
"""
