"""Where a simulated venue is: its base URLs, known from the port alone."""

from typing import Final

HOST: Final = "127.0.0.1"


def base_urls(port: int) -> dict[str, str]:
    """Return the base URL of each route of a venue on this port."""
    authority = f"{HOST}:{port}"
    return {
        "rest": f"http://{authority}",
        "public": f"ws://{authority}/public",
        "market": f"ws://{authority}/market",
        "private": f"ws://{authority}/private",
        "ws_api": f"ws://{authority}/ws-fapi/v1",
        "control": f"http://{authority}/sim",
    }
