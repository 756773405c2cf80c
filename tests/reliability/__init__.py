"""Nothing twice, nothing lost: long seeded runs against a failing Go, and killed ones."""
