"""A local web shop that implements the default contract."""
