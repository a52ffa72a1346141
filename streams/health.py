"""What a service says of itself over HTTP on loopback: /health, /ready and /metrics.

``/health`` answers 200 while the process does its work or waits for the world to come back, 503 once it cannot go on;
``/ready`` answers 200 only while it serves. Both carry one JSON object. ``/metrics`` is Prometheus text.
"""

from __future__ import annotations

from collections.abc import Callable

import orjson
from aiohttp import web
from mode import Service
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from streams.errors import WorldError

LATENCY_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class Health:
    """The state of one service, with its metrics. ``state`` is a line for people."""

    def __init__(self, service: str) -> None:
        self.service = service
        self.state = "starting"
        self.ready = False
        self.failed = False
        self.facts: dict[str, object] = {}
        self.live: dict[str, Callable[[], object]] = {}  # facts that are made when they are asked for
        self.registry = CollectorRegistry()
        self._ready = self.gauge("ready", "Whether the service serves (1) or not (0).")

    def set(self, state: str, *, ready: bool, failed: bool = False) -> None:
        """Say what the service is doing."""
        self.state, self.ready, self.failed = state, ready, failed
        self._ready.set(ready)

    def report(self) -> dict[str, object]:
        """The object that /health and /ready carry."""
        live = {name: make() for name, make in self.live.items()}
        state = {"service": self.service, "ready": self.ready, "failed": self.failed, "state": self.state}
        return {**state, **self.facts, **live}

    def counter(self, name: str, meaning: str, *labels: str) -> Counter:
        """A counter ``changeover_<service>_<name>``."""
        return Counter(f"changeover_{self.service}_{name}", meaning, labels, registry=self.registry)

    def gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        """A gauge ``changeover_<service>_<name>``."""
        return Gauge(f"changeover_{self.service}_{name}", meaning, labels, registry=self.registry)

    def histogram(self, name: str, meaning: str) -> Histogram:
        """A histogram of seconds ``changeover_<service>_<name>``."""
        full = f"changeover_{self.service}_{name}"
        return Histogram(full, meaning, registry=self.registry, buckets=LATENCY_BUCKETS)


class HealthServer(Service):
    """Serves a :class:`Health`. Starts before everything else of its process, so that waiting can be watched.

    ``port`` 0 takes a free one; ``bound_port`` then says which.
    """

    def __init__(self, health: Health, host: str, port: int) -> None:
        self.health = health
        self.host = host
        self.port = port
        self.bound_port = 0
        self._runner: web.AppRunner | None = None
        super().__init__()

    async def on_start(self) -> None:
        """Listen.

        Raises:
            WorldError: the address cannot be listened on.
        """
        routes = web.Application()
        routes.add_routes(
            [
                web.get("/health", self.answer_health),
                web.get("/ready", self.answer_ready),
                web.get("/metrics", self.answer_metrics),
            ]
        )
        self._runner = web.AppRunner(routes, access_log=None)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self.host, self.port).start()
        except OSError as error:
            raise WorldError(
                f"cannot listen on {self.host}:{self.port} for health and metrics: {error.strerror}; "
                "set CHANGEOVER_HTTP_PORT to another port"
            ) from error
        self.bound_port = self._runner.addresses[0][1]
        self.health.facts["port"] = self.bound_port

    async def on_stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def answer_health(self, _request: web.Request) -> web.Response:
        """Whether the process can go on."""
        return self.answer(503 if self.health.failed else 200)

    async def answer_ready(self, _request: web.Request) -> web.Response:
        """Whether the service serves."""
        return self.answer(200 if self.health.ready else 503)

    def answer(self, status: int) -> web.Response:
        """The report under a status."""
        return web.Response(
            body=orjson.dumps(self.health.report()), status=status, content_type="application/json", charset="utf-8"
        )

    async def answer_metrics(self, _request: web.Request) -> web.Response:
        """The metrics as Prometheus reads them."""
        return web.Response(body=generate_latest(self.health.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})
