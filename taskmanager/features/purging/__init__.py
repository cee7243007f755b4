"""How deleted projects go for good, with all that belongs to them in every feature."""
