"""The end of an account, and all that it holds: what needs users, projects and tasks together."""
