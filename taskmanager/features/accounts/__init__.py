"""Holdings, export and deletion of accounts: use cases that need users, projects and tasks together."""
