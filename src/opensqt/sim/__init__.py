"""`opensqt-sim`: a simulated venue on loopback that speaks an exchange's own protocol, for clients that know no better.

`dialects/<venue>` turns the simulated exchange of `opensqt.matching` into that venue's requests, replies and streams,
without sockets: bytes and a time in, bytes out. `server` puts it behind HTTP and WebSocket, `faults` decides what goes
wrong. Nothing here is shared with the connector: both sides of the wire are written apart, so that one mistake cannot
hide the other.
"""
