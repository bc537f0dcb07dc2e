"""How tasks that compute at the same time share the processors: search, embedding, generation, other programs."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import TypeVar

Environment = TypeVar("Environment", bound=MutableMapping[str, str])


def quiet_waiting(environment: Environment) -> Environment:
    """Make OpenMP's threads sleep while they wait for each other. Must be called before torch is imported.

    Each of torch's tasks uses as many threads as there are processors. Waiting threads normally spin, which takes
    processors away from the other tasks that they are waiting for. If they sleep, the system can share the processors.
    """
    environment.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # GNU's library, which torch brings; Intel's knows it too
    environment.setdefault("KMP_BLOCKTIME", "0")  # milliseconds; Intel's library spins for 200 otherwise
    return environment
