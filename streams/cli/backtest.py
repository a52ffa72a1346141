"""``changeover backtest``: policies side by side over history with a stated lag, in numbers."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.options import Json, SettingsFile, read_settings, read_time
from streams.cli.output import print_result
from streams.cli.replay import FleetDay, NodeMap, read_mapping

if TYPE_CHECKING:
    from datetime import datetime

    from streams.backtest import Ask, Comparison, Result
    from streams.settings import Settings

HistoryPath = Annotated[str, typer.Argument(metavar="PATH", help="History: a file, folder, manifest, or 'sample'.")]
Miners = Annotated[Path | None, typer.Option(help="Fleet file or a folder of them; default: the example ladder.")]
Names = Annotated[
    str | None,
    typer.Option("--policy", metavar="A,B", help="Policies and baselines, by commas; default: the settings' policy."),
]
Lag = Annotated[
    int, typer.Option(min=0, max=1_000, help="Intervals until a price is known; 0 sees the interval it decides.")
]
FromTime = Annotated[str | None, typer.Option("--from", metavar="TIME", help="Score intervals that begin from here.")]
ToTime = Annotated[str | None, typer.Option("--to", metavar="TIME", help="Score intervals that begin before this.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(backtest)


def backtest(
    path: HistoryPath,
    *,
    miners: Miners = None,
    policy: Names = None,
    lag_intervals: Lag = 1,
    start: FromTime = None,
    end: ToTime = None,
    node_map: NodeMap = None,
    fleet_as_of: FleetDay = None,
    settings: SettingsFile = None,
    json: Json = False,
) -> None:
    """Run policies over history through the engine, and score each beside the best that was possible.

    An interval is decided at its start by what was known --lag-intervals before, and settled at its own prices. What
    was known before --from is known to the policies and not scored. The first mode is free. Baselines (always_on,
    strike, myopic, window_rule, minimum_gain, shrinking_dwell) run outside the engine.

    Keys with --json: history, lag_intervals, look_ahead, from_us, to_us, intervals, missing, hypothetical, notes;
    policies, each with policy, baseline, net_usd, usd_per_mwh, usd_per_mw_year, switches, switches_per_day,
    capture_pooled, clairvoyant_net_usd, constant_net_usd, bound ("exact" or "upper bound"), missed_spike_minutes,
    false_trigger_usd, over_cap_intervals, digest, signals, seconds, loads and sites (the same figures for each).
    """
    from streams.cli.compile import make_ready

    found = read_settings(settings)
    make_ready(found)
    from streams.backtest import compare, known_names

    names = list(known_names(policy or found.deciding.policy))
    comparison = compare(_ask(path, found, miners, node_map or [], fleet_as_of, (lag_intervals, start, end)))
    results = [comparison.run(name) for name in names]
    print_result(result_object(comparison, results), result_text(comparison, results), json=json)


def _ask(
    path: str,
    settings: Settings,
    miners: Path | None,
    node_map: list[str],
    fleet_as_of: datetime | None,
    when: tuple[int, str | None, str | None],
) -> Ask:
    """What is asked. The engine is compiled."""
    from streams.backtest import Ask
    from streams.compilation import code_hash
    from streams.history import open_history
    from streams.replay import fleet_for_replay
    from streams.shipped import shipped

    lag, start, end = when
    from_us, until_us = read_time("--from", start), read_time("--to", end)
    day = fleet_as_of.date() if fleet_as_of else None
    fleet = fleet_for_replay(miners or shipped("examples") / "ladder.toml", read_mapping(node_map), day)
    return Ask(open_history(path), fleet, settings.deciding, code_hash(), lag, from_us, until_us)


def result_object(comparison: Comparison, results: list[Result]) -> dict[str, object]:
    """A comparison as its JSON says it."""
    ask, history = comparison.ask, comparison.history
    hypothetical = {miner.key: list(miner.hypothetical) for miner in ask.fleet if miner.hypothetical}
    of_history = {"history": list(history.hypothetical)} if history.hypothetical else {}
    return {
        "history": history.name,
        "lag_intervals": ask.lag,
        "look_ahead": ask.lag == 0,
        "from_us": comparison.first_us,
        "to_us": comparison.last_us,
        "intervals": comparison.intervals,
        "policies": [
            {
                "policy": each.policy,
                "baseline": each.baseline,
                **asdict(each.figures),
                "sites": [
                    {"miner": miner, "site": site, **asdict(replace(found, loads=()))}
                    for (miner, site), found in each.by_site.items()
                ],
                "digest": each.digest,
                "signals": each.signals,
                "seconds": round(each.seconds, 3),
            }
            for each in results
        ],
        "missing": ask.missing,
        "hypothetical": {**hypothetical, **of_history},
        "notes": list(history.notes),
    }


COLUMNS = ("policy", "net USD", "USD/MWh", "USD/MW-year", "capture", "a day", "missed min", "false USD", "s")


def result_text(comparison: Comparison, results: list[Result]) -> str:
    """A comparison for people: a table, and what must be known to read it."""
    from streams.history.window_file import utc_text

    ask, figures = comparison.ask, results[0].figures
    span = f"{utc_text(comparison.first_us)} to {utc_text(comparison.last_us)}"
    ahead = ", LOOK-AHEAD: sees the interval it decides" if ask.lag == 0 else ""
    best = f"{figures.clairvoyant_net_usd:,.0f} USD ({figures.bound})"
    lines = [
        f"history      {comparison.history.name}: {comparison.intervals:,} intervals, {span}",
        f"lag          {ask.lag} interval(s){ahead}",
        f"clairvoyant  {best}; best constant mode {figures.constant_net_usd:,.0f} USD",
        "",
        *aligned([COLUMNS, *(row(each) for each in results)]),
        "",
    ]
    if any(each.baseline for each in results):
        lines.append("* baseline: knows no switching cost and no cap, runs outside the engine")
    lines += [
        f"over cap     {each.policy}: {each.figures.over_cap_intervals:,} intervals"
        for each in results
        if each.figures.over_cap_intervals
    ]
    lines += [f"degraded     {key}: no {', '.join(series)} in this history" for key, series in ask.missing.items()]
    lines += [f"hypothetical {miner.key}: {text}" for miner in ask.fleet for text in miner.hypothetical]
    lines += [f"hypothetical {text}" for text in comparison.history.hypothetical]
    lines += [f"note         {text}" for text in comparison.history.notes]
    return "\n".join(lines)


def row(result: Result) -> tuple[str, ...]:
    """One policy's line of the table."""
    found = result.figures
    return (
        result.policy + (" *" if result.baseline else ""),
        f"{found.net_usd:,.0f}",
        "-" if found.usd_per_mwh is None else f"{found.usd_per_mwh:.2f}",
        f"{found.usd_per_mw_year:,.0f}",
        "-" if found.capture_pooled is None else f"{found.capture_pooled:.3f}",
        f"{found.switches_per_day:.2f}",
        f"{found.missed_spike_minutes:,.0f}",
        f"{found.false_trigger_usd:,.0f}",
        f"{result.seconds:.1f}",
    )


def aligned(rows: list[tuple[str, ...]]) -> list[str]:
    """Rows of a table, the first column to the left, figures to the right.

    >>> aligned([("policy", "USD"), ("a", "1,000")])
    ['policy    USD', 'a       1,000']
    """
    widths = [max(len(cells[place]) for cells in rows) for place in range(len(rows[0]))]
    return [
        "  ".join(
            [cells[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))]
        )
        for cells in rows
    ]
