"""Any exchange that ccxt knows, for queries and basic trading of linear perpetuals, by polling.

capabilities    what is offered, and what an exchange must have
library         the only file that imports ccxt, and only when an adapter is made; the protocol of what is used of it
errors          ccxt's exception classes -> reason, and whether a sent order may exist nevertheless
figures         ccxt's numbers -> exact decimals, ticks and lots
markets         a ccxt market -> instrument; what cannot be counted exactly is refused
parse_*         ccxt's unified structures -> domain values
pace, limiter   who may ask next: orders, then queries, then polls, at ccxt's rate
client          one call: deadline, errors, no retry
order_table     what is known of orders: ids, fills, the last state
account_queries, order_lookup, market_queries, order_entry   the roles of the adapter
market_poll, account_poll   what streams would push, asked for in turns
"""
