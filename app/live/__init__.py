"""Long-lived streams: WebSockets for states, logs and terminals, on an origin of their own."""
