"""The packages themselves: what is in them, and whether they work without the checkout."""
