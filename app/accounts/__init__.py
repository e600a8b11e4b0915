"""Who they are: users, sign-ins, tokens, limits, audit."""
