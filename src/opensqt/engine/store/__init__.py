"""The engine's state on disk: SQLite, one writer thread, forward migrations.

The core emits records; `Store` writes each turn's records in one job, so that a fill, the slot it changed and the
totals are on disk together or not at all. Nothing waits for the disk except a bot's very first order.
"""
