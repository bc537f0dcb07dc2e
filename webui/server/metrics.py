"""Metrics for Prometheus, on a separate port, so that people who can reach the page cannot read them.

Counts, seconds and bytes: no text, no names, nothing about a single person.
https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from rag.errors import SettingRefused, StoreError
from rag.readiness import State
from rag.records import JobState
from webui.engine import Engine
from webui.server.traffic import Traffic

logger = logging.getLogger(__name__)

Gauges = Iterator[GaugeMetricFamily]


@contextmanager
def metrics_served(engine: Engine, traffic: Traffic, host: str, port: int) -> Iterator[None]:
    """Serve metrics in a thread during the block; none with port 0. Raises SettingRefused if the port is taken."""
    if not port:
        yield
        return
    try:
        server, thread = start_http_server(port, host, registry=registry_of(engine, traffic))
    except OSError as error:
        raise SettingRefused(
            "Port {port} on {host} cannot be used for metrics ({reason}): choose another with --metrics-port.",
            port=port,
            host=host,
            reason=error.strerror or str(error),
        ) from error
    logger.info("Metrics on http://%s:%d/metrics", host, port)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def registry_of(engine: Engine, traffic: Traffic) -> CollectorRegistry:
    """Everything that is measured."""
    registry = CollectorRegistry()
    registry.register(engine.activity.registry)
    registry.register(traffic.registry)
    registry.register(_Stored(engine, traffic))
    ProcessCollector(namespace="ask", registry=registry)
    return registry


class _Stored(Collector):
    """Metrics that are looked up whenever Prometheus asks."""

    def __init__(self, engine: Engine, traffic: Traffic) -> None:
        self._engine, self._traffic = engine, traffic

    def collect(self) -> Gauges:
        ready = self._engine.readiness.state is State.READY and not self._traffic.stopping
        yield GaugeMetricFamily("ask_ready", "1 where questions are answered", int(ready))
        yield GaugeMetricFamily("ask_worker_memory_bytes", "Resident memory of child processes", memory_of_children())
        try:
            yield from self._library()
        except StoreError as error:  # the data folder is gone: the other metrics show that
            logger.error("%s", error)

    def _library(self) -> Gauges:
        totals = self._engine.totals.all()
        yield GaugeMetricFamily("ask_documents", "Documents of all libraries", totals.documents)
        yield GaugeMetricFamily("ask_pages", "Pages of these documents", totals.pages)
        yield GaugeMetricFamily("ask_passages", "Passages of these documents", totals.passages)
        yield GaugeMetricFamily("ask_document_bytes", "Bytes of these PDFs", totals.bytes)
        files = GaugeMetricFamily("ask_files", "Files being added, by state", labels=["state"])
        for state in JobState:
            files.add_metric([state.value], totals.files.get(state.value, 0))
        yield files


def memory_of_children() -> int:
    """Resident bytes of all descendant processes; 0 on a system without /proc."""
    started: dict[int, list[tuple[int, int]]] = {}  # by process: its children, and their bytes
    for status in Path("/proc").glob("[0-9]*/status"):
        with suppress(OSError):  # the process has ended in the meantime
            fields = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
            resident = int(fields.get("VmRSS", "0 kB").split()[0]) * 1024
            started.setdefault(int(fields.get("PPid", "0")), []).append((int(status.parent.name), resident))
    total, parents = 0, [os.getpid()]
    while parents:
        for process, resident in started.get(parents.pop(), ()):
            total += resident
            parents.append(process)
    return total
