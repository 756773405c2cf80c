"""What follows from what both sides changed, or have wiped; pure. Imports `dataflow`."""
