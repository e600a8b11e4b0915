"""`sandboxd`: owns the engine and every running sandbox; knows no database, account or session."""
