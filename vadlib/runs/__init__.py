"""One experiment on disk."""
