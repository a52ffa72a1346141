"""A Redis that loses what it held, or comes back as it was some time ago: all keys of a run at once."""

from __future__ import annotations

import redis

from streams.wire import Names


def erase_keys(client: redis.Redis, names: Names) -> None:
    """Lose everything of a run, in one command."""
    keys = list(client.scan_iter(f"{names.prefix}*"))
    if keys:
        client.delete(*keys)


def kept_keys(client: redis.Redis, names: Names) -> dict[bytes, bytes]:
    """Everything of a run as it is now."""
    found = {}
    for key in client.scan_iter(f"{names.prefix}*"):
        value = client.dump(key)
        if isinstance(value, bytes):
            found[key] = value
    return found


def restore_keys(client: redis.Redis, names: Names, kept: dict[bytes, bytes]) -> None:
    """Put a run back to what it was, in one transaction."""
    with client.pipeline(transaction=True) as change:
        for key in client.scan_iter(f"{names.prefix}*"):
            change.delete(key)
        for key, value in kept.items():
            change.restore(key, 0, value)
        change.execute()
