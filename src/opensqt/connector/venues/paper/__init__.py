"""The paper venue: the simulated exchange of `opensqt.matching` behind the adapter protocol, with its own memory."""
