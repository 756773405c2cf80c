"""A realistic Norwegian store, the same every time."""
