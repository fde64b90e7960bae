"""Trading vocabulary: instruments, orders, fills, positions, money, errors. Pure and synchronous; no I/O, no clock of its own."""
