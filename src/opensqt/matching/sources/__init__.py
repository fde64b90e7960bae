"""Markets to match against: recorded captures and seeded synthetic ones."""
