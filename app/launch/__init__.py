"""`./run` after set-up: accounts, database, content, then four processes under one supervisor."""
