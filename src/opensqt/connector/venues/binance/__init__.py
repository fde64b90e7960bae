"""Binance USDⓈ-M futures: one file per concern, none of which but the sessions knows a socket.

sign, sign_pem        what makes a request ours: HMAC, RSA, Ed25519
requests, requests_*  what we ask: method, path, parameters, cost; and the bytes that are sent
stream                names, routes and control messages of market streams
order_map             words of the venue <-> words of the domain, and how reports of one order merge
symbols, listing      exchangeInfo -> instruments with revisions; the units their prices are counted in
limits                rate windows, and what replies say of them
payload, parse_*      what the venue answers and pushes -> domain values; user_events and wire_user are their types
error_codes, errors   what went wrong -> reason, whether the outcome is known, what to do
"""
