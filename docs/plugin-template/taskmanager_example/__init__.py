"""Counts what is completed in a project."""
