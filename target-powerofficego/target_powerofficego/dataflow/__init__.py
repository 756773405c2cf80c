"""The property tables: which shop property is which Go property, and how a value crosses."""
