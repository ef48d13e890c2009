"""Sentences and tables that follow from numbers."""
