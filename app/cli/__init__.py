"""The `./soty` command."""
