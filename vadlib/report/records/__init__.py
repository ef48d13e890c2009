"""Runs of the report kept in the repository, checked and shown."""
