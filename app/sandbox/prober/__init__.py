"""Talks to the prober through its two pipes; what it says decides a verdict, what anybody else says does not."""
