"""Taps: one proxy per upstream of a sandbox, which traces the traffic on its edges and can hurt it."""
