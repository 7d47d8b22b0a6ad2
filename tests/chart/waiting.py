"""Waiting for what others do: an API server knows of new rights, for one, a moment after it took them."""

import time

# Far longer than anything takes, on two busy cores: whoever waits so long waits in vain.
PATIENCE = 600


def eventually(what: str, look):
    """What `look` gives once that is something."""
    deadline = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.2)
    return found
