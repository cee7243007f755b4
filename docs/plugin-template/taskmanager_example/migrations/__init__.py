"""Scripts that `taskmanager migrate` runs once, in the order of their names."""
