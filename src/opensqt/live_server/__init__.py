"""The web page of OpenSQT: market data from the connector, bot state from the engine, one page for people.

It reads with tokens that cannot trade, keeps serving what it knows when either service is down, and says which one is.

- `app` composes the service; `config` is what it can be told.
- `feeds`, `connector_feeds`, `engine_feed` read the other services and reconnect by themselves.
- `replica`, `market`, `sources` hold what was heard; `bot_view`, `view_model`, `legacy` turn it into messages.
- `broadcast`, `sockets`, `publisher` bring messages to browsers; `routes`, `controls`, `auth`, `guard` answer requests.
"""
