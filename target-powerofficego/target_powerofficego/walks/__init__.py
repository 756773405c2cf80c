"""The way of a record of each entity: read, match or merge, decide, write, settle."""
