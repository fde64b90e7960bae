"""Binance USDⓈ-M futures: one file per concern, none of which but the sessions knows a socket.

sign, sign_pem       what makes a request ours: HMAC, RSA, Ed25519
requests*            what we ask: method, path, parameters, cost
order_map            words of the venue <-> words of the domain, and how reports of one order merge
symbols, listing     exchangeInfo -> instruments with revisions; the units their prices are counted in
payload, parse*      what the venue answers and pushes -> domain values
error_codes, errors  what went wrong -> reason, whether the outcome is known, what to do
"""
