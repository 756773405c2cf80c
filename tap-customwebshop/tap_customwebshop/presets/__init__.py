"""Shop files that come with the tap, by the make of the shop that each reads."""
