"""A gateway process with a bug: the task that wakes the consumers fails at its first turn."""

from gateway import stations
from kopeck.gateway_process import main

if __name__ == "__main__":
    stations.NOTIFY_EVERY_S = None  # type: ignore[assignment]
    main()
