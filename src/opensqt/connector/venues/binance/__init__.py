"""Binance USDⓈ-M futures: one file per concern, none of which but the sessions knows a socket.

sign, sign_pem        what makes a request ours: HMAC, RSA, Ed25519
requests, requests_*  what we ask: method, path, parameters, cost; and the bytes that are sent
stream                names, routes and control messages of market streams
order_map             words of the venue <-> words of the domain, and how reports of one order merge
symbols, listing      exchangeInfo -> instruments with revisions; the units their prices are counted in
limits                rate windows, and what replies say of them
payload, parse_*      what the venue answers and pushes -> domain values; user_events and wire_user are their types
error_codes, errors   what went wrong -> reason, whether the outcome is known, what to do

clock_sync, book_sync, session, order_table, account_book, dead_man, market_feed, routes
                      what the sessions know and decide, without sockets: time and messages in, state out

stream_client         WebSocket; rest: HTTP. Nothing else opens a connection
stream_runner, api_client, user_stream
                      sessions: market routes, order API, the account's stream
market_streams        the public routes with the books they feed
order_entry, queries, account_queries, market_queries
                      the roles of an adapter
opening, start_checks, takeover, upkeep, instruments_watch, snapshots
                      what is asked at the start, after a break, and now and then
offers                capabilities
public_market         puts the public half together: the market under paper trading
adapter               puts an account's session together
"""
