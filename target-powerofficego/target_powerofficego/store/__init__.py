"""The tables of the link store and the SQL that reads and writes them; nowhere else is SQL."""
