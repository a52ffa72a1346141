"""`changeover fleet apply` and `fleet show`: what miners own, into the log and as it is valued now."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streams.cli.options import Json, SettingsFile, read_settings
from streams.cli.output import print_result

if TYPE_CHECKING:
    from models.fleet import Miner
    from streams.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="What miners own.")
    group.command("apply")(apply)
    group.command("show")(show)
    app.add_typer(group, name="fleet")


def apply(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="Fleet file, or a folder of them.", show_default=False)],
    *,
    json: Json = False,
    settings: SettingsFile = None,
) -> None:
    """Append the fleets of a file or folder to the log; each replaces its miner's whole former fleet.

    Waits until the log has an epoch, which the first worker starts. Keys with --json: topic, applied (a list of miner,
    sites, loads, offset).
    """
    import asyncio

    from streams.cli.tail import located
    from streams.fleetfile import read_miners

    miners = read_miners(path)
    chosen = located(read_settings(settings))
    applied = asyncio.run(append_fleets(chosen, miners))
    lines = [
        f"{each['miner']}: {each['sites']} sites, {each['loads']} loads, offset {each['offset']}" for each in applied
    ]
    print_result({"topic": chosen.names.topic("raw"), "applied": applied}, "\n".join(lines), json=json)


async def append_fleets(settings: Settings, miners: list[Miner]) -> list[dict[str, Any]]:
    """Append a fleet change for each miner."""
    from streams.connect import kafka_connection
    from streams.epochs import wait_for_epoch
    from streams.fleetfile import encode_miner
    from streams.log import RawProducer
    from streams.now import now_us

    connection = kafka_connection(settings)
    await wait_for_epoch(settings)
    producer = RawProducer(connection, settings.names, settings.new_instance("fleet"))
    await producer.start()
    try:
        return [
            {
                "miner": miner.key,
                "sites": len(miner.site),
                "loads": sum(len(site.loads) for site in miner.site),
                "offset": await producer.append("fleet", now_us(), encode_miner(miner)),
            }
            for miner in miners
        ]
    finally:
        await producer.stop()


def show(*, json: Json = False, settings: SettingsFile = None) -> None:
    """Print the miners that publish, with their sites and loads as valued last.

    Keys with --json: miners (a list of miner, generation, epoch, seq, degraded, sites).
    """
    import asyncio

    from streams.cli.tail import located

    chosen = located(read_settings(settings))
    miners = asyncio.run(read_fleets(chosen))
    text = "\n".join(line for miner in miners for line in as_lines(miner))
    print_result({"miners": miners}, text or "no miner publishes", json=json)


async def read_fleets(settings: Settings) -> list[dict[str, Any]]:
    """Head and sites of every miner that publishes."""
    import orjson

    from streams.connect import opened_redis
    from streams.sink import RedisSink

    async with opened_redis(settings) as client:
        sink = RedisSink(client, settings.names)
        found = []
        for miner in await sink.miners():
            head = await sink.head(miner)
            sites = [await sink.site(miner, site) for site in await sink.sites(miner)]
            found.append(
                {
                    "miner": miner,
                    "generation": head.generation if head else 0,
                    "epoch": head.epoch if head else 0,
                    "seq": head.seq if head else 0,
                    "degraded": list(head.degraded) if head else [],
                    "sites": [orjson.loads(site["json"]) for site in sites if "json" in site],
                }
            )
        return found


def glob_safe(key: str) -> str:
    """A key as a pattern that matches just it.

    >>> glob_safe("changeover:{mara}:")
    'changeover:{mara}:'
    """
    return "".join(f"\\{each}" if each in "*?[]\\" else each for each in key)


def as_lines(miner: dict[str, Any]) -> list[str]:
    """One miner for people."""
    lines = [f"{miner['miner']}  generation {miner['generation']}, epoch {miner['epoch']}, {miner['seq']} entries"]
    for site in miner["sites"]:
        lines.append(f"  {site['site']}  {site.get('mw_running', 0):g} of {site.get('mw_cap', 0):g} MW")
        for load in site.get("loads", []):
            margin = load.get("margin_usd_per_mwh")
            shown = "no margin" if margin is None else f"{margin:.2f} $/MWh"
            lines.append(f"    {load['load']}  {load['mode']}  {shown}")
    return lines
