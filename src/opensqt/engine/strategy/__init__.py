"""Strategies: what a bot wants on the book, given a price and what it holds."""
