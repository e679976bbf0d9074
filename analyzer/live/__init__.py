"""The same analysis while it happens."""
