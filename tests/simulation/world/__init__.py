"""The whole system on one virtual clock and one seed: engine, connector and venue, joined by wires that can fail."""
