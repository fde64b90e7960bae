"""Message decoders, one module per venue: bytes straight to integers."""
