"""A believable Norwegian store, the same one every time."""
