"""Trading vocabulary: instruments, orders, fills, positions, money, errors. Pure, synchronous, without I/O."""
