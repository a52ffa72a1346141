"""``changeover replay``: history through the one pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli import replay_archive
from streams.cli.options import Json, SettingsFile, read_settings, read_time
from streams.cli.output import print_result
from streams.errors import SettingsError

if TYPE_CHECKING:
    from streams.replay import Answer, Question
    from streams.settings import Settings

HistoryPath = Annotated[
    str | None, typer.Argument(metavar="PATH", help="History: a file, folder, manifest, recording, or 'sample'.")
]
Miners = Annotated[Path | None, typer.Option(help="Fleet file or a folder of them; default: the shipped examples.")]
NodeMap = Annotated[
    list[str] | None, typer.Option("--map", metavar="NODE=SERIES", help="Read a node or series from another.")
]
FleetDay = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Use the fleet of this day for all of it.")
]
ArchiveFolder = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Replay an archived log itself, with its epochs and fleets.")
]
FromTime = Annotated[
    str | None, typer.Option("--from", metavar="TIME", help="Of the archive: signals from this log time on.")
]
ToTime = Annotated[
    str | None, typer.Option("--to", metavar="TIME", help="Of the archive: signals before this log time.")
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(replay)


def replay(
    path: HistoryPath = None,
    *,
    miners: Miners = None,
    policy: Annotated[
        str | None, typer.Option(help="Policy that decides; wary_plan, rolling_plan, band or breakeven.")
    ] = None,
    parts: Annotated[int, typer.Option(min=1, max=1_000, help="Split the miners over so many workers.")] = 1,
    kafka: Annotated[
        bool, typer.Option("--kafka", help="Through a broker, workers and Redis, in topics of its own.")
    ] = False,
    node_map: NodeMap = None,
    fleet_as_of: FleetDay = None,
    out: Annotated[Path | None, typer.Option(help="Write every numbered signal here, one JSON object a line.")] = None,
    archive: ArchiveFolder = None,
    log: Annotated[str, typer.Option("--log", metavar="ID", help="Which log of the archive.")] = "",
    start: FromTime = None,
    end: ToTime = None,
    settings: SettingsFile = None,
    json: Json = False,
) -> None:
    """Replay history: count observations and signals, print their digest and how long it took.

    With --archive the log that a recorder kept is run as it was, from its first record on, and gives the signals that
    were published, to the bit. --from and --to choose which of them are counted and digested.

    Keys with --json: miners (miner: entries), observations, ticks, rejected, signals, digest, seconds, notes; of
    history: history, policy, missing, hypothetical; of an archive: archive, log, records, epochs, from_us, to_us.
    """
    found = read_settings(settings)
    if archive is None:
        _refuse_beside("PATH", {"--log": log, "--from": start, "--to": end}, "they choose from an archived log")
        question = _question(path, found, miners, policy, node_map or [], fleet_as_of)
        answer = _answer(question, found, settings, parts=parts, kafka=kafka)
        result, text = _result(question, answer), _text(question, answer)
    else:
        of_history = {"PATH": path, "--miners": miners, "--policy": policy, "--map": node_map, "--kafka": kafka}
        theirs = {**of_history, "--fleet-as-of": fleet_as_of}
        _refuse_beside("--archive", theirs, "an archived log brings its own fleets and configuration")
        ask = replay_archive.Ask(archive, log, read_time("--from", start), read_time("--to", end), parts)
        answer, result, text = replay_archive.run(ask, found)
    if out is not None:
        _write(out, answer)
    print_result(result, text, json=json)


def _question(
    path: str | None,
    settings: Settings,
    miners: Path | None,
    policy: str | None,
    node_map: list[str],
    fleet_as_of: datetime | None,
) -> Question:
    """What is asked of history; compiles the engine first if need be."""
    from dataclasses import replace

    from streams.cli.compile import make_ready
    from streams.compilation import code_hash

    if path is None:
        raise SettingsError("replay what? give PATH, the history (`sample` is in the package), or --archive DIR")
    make_ready(settings)
    from streams.history import open_history
    from streams.replay import Question, fleet_for_replay
    from streams.shipped import shipped

    day = fleet_as_of.date() if fleet_as_of else None
    fleet = fleet_for_replay(miners or shipped("examples"), read_mapping(node_map), day)
    config = replace(settings.deciding, policy=_known_policy(policy)) if policy else settings.deciding
    return Question(open_history(path), fleet, config, code_hash())


def _refuse_beside(what: str, given: Mapping[str, object], why: str) -> None:
    """Refuse options that mean nothing beside another one."""
    wrong = [name for name, value in given.items() if value]
    if wrong:
        raise SettingsError(f"{' and '.join(wrong)} beside {what}: {why}; leave one of them out")


def _known_policy(name: str) -> str:
    from models.policies import NAMES

    if name not in NAMES:
        raise SettingsError(f"--policy {name!r} is not one of {', '.join(NAMES)}")
    return name


def _answer(question: Question, settings: Settings, file: Path | None, *, parts: int, kafka: bool) -> Answer:
    if kafka:
        from streams.replay_kafka import replay_through_kafka
        from streams.stack import settings_overrides

        return replay_through_kafka(question, settings, parts, settings_overrides(file))
    from streams.replay import replay as offline

    return offline(question, parts)


def read_mapping(pairs: list[str]) -> dict[str, str]:
    """Pairs of ``--map`` as a mapping. Raises SettingsError for one that is not written NODE=SERIES."""
    mapping = {}
    for pair in pairs:
        node, equals, series = pair.partition("=")
        if not (node and equals and series):
            raise SettingsError(f"--map {pair!r} is not written NODE=SERIES, as ERCOT:HB_WEST=power:ERCOT:HB_SOUTH:rt")
        mapping[node] = series
    return mapping


def _write(path: Path, answer: Answer) -> None:
    entries = sorted(
        (entry.offset, miner, entry.seq, entry.json) for miner, found in answer.entries.items() for entry in found
    )
    try:
        path.write_bytes(b"".join(json + b"\n" for *_, json in entries))
    except OSError as fault:
        raise SettingsError(f"--out {path}: {fault.strerror}: name a file in a folder that may be written") from fault


def _result(question: Question, answer: Answer) -> dict[str, object]:
    hypothetical = {miner.key: list(miner.hypothetical) for miner in question.fleet if miner.hypothetical}
    return {
        "history": question.history.name,
        "policy": question.config.policy,
        "miners": {miner: len(entries) for miner, entries in sorted(answer.entries.items())},
        "observations": answer.observations,
        "ticks": answer.ticks,
        "rejected": answer.rejected,
        "signals": answer.signals,
        "digest": answer.digest,
        "seconds": round(answer.seconds, 3),
        "missing": question.missing,
        "hypothetical": {
            **hypothetical,
            **({"history": list(question.history.hypothetical)} if question.history.hypothetical else {}),
        },
        "notes": list(question.history.notes),
    }


def _text(question: Question, answer: Answer) -> str:
    lines = [
        f"history      {question.history.name}",
        f"policy       {question.config.policy}",
        f"observations {answer.observations:,} (and {answer.ticks:,} clock ticks), {answer.rejected:,} rejected",
        f"signals      {answer.signals:,}",
        *(f"  {miner:10s} {len(entries):,}" for miner, entries in sorted(answer.entries.items())),
        f"digest       {answer.digest}",
        f"seconds      {answer.seconds:.2f}",
    ]
    lines += [
        f"degraded     {key}: no {', '.join(series)} in this history; see --map"
        for key, series in question.missing.items()
    ]
    for miner in question.fleet:
        lines += [f"hypothetical {miner.key}: {text}" for text in miner.hypothetical]
    lines += [f"hypothetical {text}" for text in question.history.hypothetical]
    lines += [f"note         {text}" for text in question.history.notes]
    return "\n".join(lines)
