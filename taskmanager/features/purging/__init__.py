"""Purges of deleted projects, with all their documents in every feature."""
