"""Telling apart why a stream was cancelled."""

import asyncio


def is_being_stopped() -> bool:
    """Return whether the running task was asked to end, as against a call of ours that was cancelled."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
