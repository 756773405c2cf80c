"""Long seeded runs against a failing Go, and killed runs: nothing is doubled, nothing lost."""
