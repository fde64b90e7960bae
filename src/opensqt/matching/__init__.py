"""A simulated exchange as a pure object, and the markets it matches against.

`venue.SimulatedVenue` takes market events and commands and answers with venue events; it never sleeps, sends or reads
a clock. `sources` turn recorded captures or a seed into market events. Everything runs the same in the paper venue, in
a backtest and in a simulation of faults.
"""
