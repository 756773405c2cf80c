"""A local web shop that speaks the default contract."""
