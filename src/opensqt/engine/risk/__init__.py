"""Risk: the checks before a bot starts, and the gate that says what it may send while it runs."""
