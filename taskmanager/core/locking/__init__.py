"""Advisory locks: writers of one document wait for each other before their transactions begin."""
