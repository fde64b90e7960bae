"""How much request weight the venue has counted in the minute that runs."""

from urllib.request import urlopen

from crash.world import World

_FREE_OF_CHARGE = "/fapi/v1/fundingInfo"


def used_weight(world: World) -> int:
    """Return what the venue says itself: a connector that was just killed cannot be asked.

    Raises:
        OSError: the venue does not answer; a run never kills it, so that is a failure of the run.
    """
    with urlopen(world.sim.access["rest"] + _FREE_OF_CHARGE, timeout=30) as reply:
        return int(reply.headers["x-mbx-used-weight-1m"])
