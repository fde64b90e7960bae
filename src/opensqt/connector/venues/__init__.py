"""One folder per venue; `opensqt.connector.registry` names them."""
