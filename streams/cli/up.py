"""`changeover up` and `changeover demo`: everything in one command, with a live view; Ctrl-C stops all of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.options import Json, SettingsFile, read_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.fleet import Miner
    from streams.settings import Settings
    from streams.stack import Stack

Seconds = Annotated[float | None, typer.Option(min=1.0, help="Stop by itself after so many real seconds.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("up")(up)
    app.command("demo")(demo)


def up(
    *,
    miners: Annotated[
        Path | None, typer.Option(help="Fleet file or a folder of them; default: the shipped miner profiles.")
    ] = None,
    seconds: Seconds = None,
    settings: SettingsFile = None,
    json: Json = False,
) -> int:
    """Start broker, Redis, ingest, worker and agents here, apply the fleet, show what is published.

    Prices come from the sources that need no key, those whose key is in the environment, and those the settings name;
    `changeover feeds` shows them. Power prices are those of the nodes the fleet reads. Broker and Redis are embedded
    and hold nothing after the end, unless KAFKA_BROKERS and REDIS_URL are set. Where pyarrow is installed a recorder
    keeps the log in the archive, unless [archive] on is false.
    """
    from streams.errors import SettingsError
    from streams.feed_notes import nodes_of_fleet, notes_of
    from streams.fleetfile import read_miners
    from streams.shipped import shipped
    from streams.stack import Stack, settings_overrides

    chosen = read_settings(settings)
    if chosen.run.origin != "live":
        raise SettingsError(f"CHANGEOVER_ORIGIN is {chosen.run.origin!r}: `up` runs live; `changeover demo` simulates")
    fleet = read_miners(miners or shipped("miners"))
    nodes = chosen.ingest.nodes or nodes_of_fleet(fleet)
    chosen = chosen.model_copy(update={"ingest": chosen.ingest.model_copy(update={"nodes": nodes})})
    stack = Stack(chosen, say, {**settings_overrides(settings), "CHANGEOVER_NODES": ",".join(nodes)})
    return run(stack, fleet, notes=notes_of(chosen, fleet), seconds=seconds, json=json, records=chosen.archive.on)


def demo(
    *,
    seed: Annotated[int | None, typer.Option(help="Which market; the same seed gives the same prices.")] = None,
    speed: Annotated[float | None, typer.Option(help="Simulated seconds in a real one, 1 to 3600.")] = None,
    seconds: Seconds = None,
    record: Annotated[Path | None, typer.Option(help="Keep the market here, for `changeover replay`.")] = None,
    settings: SettingsFile = None,
    json: Json = False,
) -> int:
    """Show it all on a simulated market with a power spike: needs no network, touches nothing live.

    The first simulated hour (a minute at the default speed) is scripted to show each kind of switch; what follows is
    chance, the same for a seed.
    """
    from streams.demo.market import START_US
    from streams.fleetfile import read_miners
    from streams.stack import Stack, settings_overrides

    chosen = demo_settings(read_settings(settings), seed, speed, record)
    of = chosen.demo
    overrides = {
        **settings_overrides(settings),
        "CHANGEOVER_ORIGIN": "demo",
        "CHANGEOVER_RUN": chosen.run.name,
        "CHANGEOVER_COMPILED": str(int(chosen.engine.compiled)),
        "CHANGEOVER_DEMO_SEED": str(of.seed),
        "CHANGEOVER_DEMO_SPEED": str(of.speed),
        "CHANGEOVER_DEMO_RECORD": "" if of.record is None else str(of.record.resolve()),
    }
    pace = f"Seed {of.seed}, {of.speed:g} simulated seconds a second"
    notes = (
        "SIMULATED: no price of this run is real.",
        f"{pace}. The first simulated hour is scripted, the rest is chance.",
    )
    fleet = read_miners(Path(__file__).resolve().parent.parent / "demo" / "fleet")
    stack = Stack(chosen, say, overrides)
    return run(stack, fleet, notes=notes, seconds=seconds, json=json, begins_us=START_US)


def demo_settings(settings: Settings, seed: int | None, speed: float | None, record: Path | None) -> Settings:
    """The settings of a demo: what the command line says wins, and a run on lasting servers has a name of its own.

    Where the engine was not compiled before it runs uncompiled, unless the settings say otherwise: the same bits at ten
    records a second, at once.
    """
    import time

    from streams.compilation import is_compiled
    from streams.demo.market import require_speed
    from streams.errors import SettingsError

    said = {"seed": seed, "speed": speed, "record": record}
    simulated = settings.demo.model_copy(update={key: value for key, value in said.items() if value is not None})
    require_speed(simulated.speed)
    if simulated.record is not None and simulated.record.exists():
        raise SettingsError(f"{simulated.record}: exists already; record to another path or remove the file")
    named: dict[str, object] = {"origin": "demo"}
    if "url" in settings.redis.model_fields_set and "name" not in settings.run.model_fields_set:
        named["name"] = f"{int(time.time())}"
    engine = settings.engine
    if "compiled" not in engine.model_fields_set:
        engine = engine.model_copy(update={"compiled": is_compiled(settings)})
    run_of = settings.run.model_copy(update=named)
    return settings.model_copy(update={"demo": simulated, "engine": engine, "run": run_of})


def run(
    stack: Stack,
    fleet: Sequence[Miner],
    *,
    notes: Sequence[str],
    seconds: float | None,
    json: bool,
    begins_us: int | None = None,
    records: bool = False,
) -> int:
    """Run a stack under its view until it is told to stop; nothing it started is left when this returns.

    ``records``: with a recorder, where it can run.
    """
    import logging
    import signal

    from streams.exit_codes import DONE

    logging.getLogger("streams").addHandler(logging.NullHandler())  # what goes wrong here is raised, and told once
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    for note in notes:
        say(note)
    with stack:
        if records:
            stack.start_recorder()
        stack.start_readers()
        from streams import session  # slow to import: by now the servers and services are on their way

        session.run(stack, fleet, notes=notes, seconds=seconds, json=json, begins_us=begins_us)
    return DONE


def say(line: str) -> None:
    """Tell people what is going on; standard output is for results."""
    import sys

    sys.stderr.write(line + "\n")
    sys.stderr.flush()
