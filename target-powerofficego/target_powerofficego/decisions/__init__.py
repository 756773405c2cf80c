"""What follows from what both sides changed; pure. Imports `dataflow`."""
