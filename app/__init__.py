"""Soty: an interactive course on microservices."""
