"""`make soak`: days of a recorded market, looped and sped up, through all three services; nothing may pile up."""
