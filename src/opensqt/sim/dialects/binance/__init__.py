"""Binance USDT-M futures as a server: REST, routed streams, WebSocket order entry. Pure; `exchange` is the way in."""
