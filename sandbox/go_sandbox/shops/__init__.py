"""Servers of other makes of shops, to read them with a shop file."""
