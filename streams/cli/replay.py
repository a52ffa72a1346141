"""``changeover replay``: history through the one pipeline."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.options import Json, SettingsFile, read_settings
from streams.cli.output import print_result
from streams.errors import SettingsError

if TYPE_CHECKING:
    from streams.replay import Answer, Question
    from streams.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(replay)


def replay(
    path: Annotated[str, typer.Argument(help="History: a file, folder, manifest, recording, or 'sample'.")],
    *,
    miners: Annotated[
        Path | None, typer.Option(help="Fleet file or a folder of them; default: the shipped examples.")
    ] = None,
    policy: Annotated[str | None, typer.Option(help="Policy that decides: breakeven or band.")] = None,
    parts: Annotated[int, typer.Option(min=1, max=1_000, help="Split the miners over so many workers.")] = 1,
    kafka: Annotated[
        bool, typer.Option("--kafka", help="Through a broker, workers and Redis, in topics of its own.")
    ] = False,
    node_map: Annotated[
        list[str] | None, typer.Option("--map", metavar="NODE=SERIES", help="Read a node or series from another.")
    ] = None,
    fleet_as_of: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Use the fleet of this day for all of it.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write every numbered signal here, one JSON object a line.")] = None,
    settings: SettingsFile = None,
    json: Json = False,
) -> None:
    """Replay history: count observations and signals, print their digest and how long it took."""
    from dataclasses import replace

    from streams.cli.compile import make_ready
    from streams.compilation import code_hash

    found = read_settings(settings)
    make_ready(found)
    from streams.history import open_history
    from streams.replay import Question, fleet_for_replay
    from streams.shipped import shipped

    day = fleet_as_of.date() if fleet_as_of else None
    fleet = fleet_for_replay(miners or shipped("examples"), _mapping(node_map or []), day)
    config = replace(found.deciding, policy=_known_policy(policy)) if policy else found.deciding
    question = Question(open_history(path), fleet, config, code_hash())
    answer = _answer(question, found, settings, parts=parts, kafka=kafka)
    if out is not None:
        _write(out, answer)
    print_result(_result(question, answer), _text(question, answer), json=json)


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


def _mapping(pairs: list[str]) -> dict[str, str]:
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
