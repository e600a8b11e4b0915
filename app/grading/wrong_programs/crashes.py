"""Ends at once with a failure."""

raise SystemExit("this program refuses to work")
