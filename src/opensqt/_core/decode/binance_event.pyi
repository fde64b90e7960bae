# C API only (binance_event.pxd); Python calls `opensqt._core.decode.binance`.
