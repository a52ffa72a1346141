"""`changeover archive`: what the archive holds, whether it is whole, and a piece of it as one file."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.options import Json, SettingsFile, read_settings, read_time
from streams.cli.output import print_result

if TYPE_CHECKING:
    from streams.archive.listing import Hour, Listed

Place = Annotated[
    Path | None,
    typer.Argument(metavar="DIR", help="Archive, one scope of it, or one log's folder; default: as [archive] says."),
]


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="What the archive of the log holds.")
    group.command("ls")(ls)
    group.command("verify")(verify)
    group.command("export")(export)
    app.add_typer(group, name="archive")


def ls(place: Place = None, *, json: Json = False, settings: SettingsFile = None) -> None:
    """List the logs of an archive: hours, ranges of offsets, records, bytes.

    Keys with --json: archive, logs (a list of scope, log, folder, first, last, records, bytes, hours, parts, holes,
    damaged; hours and parts are lists of file, first, last, bytes, from_us, to_us).
    """
    from dataclasses import asdict

    from streams.archive import list_archive, require_pyarrow

    where = _where(place, settings)
    require_pyarrow()
    logs = list_archive(where)
    text = "\n".join(_lines(log) for log in logs) or f"no log is archived in {where}"
    print_result({"archive": str(where), "logs": [asdict(log) for log in logs]}, text, json=json)


def verify(place: Place = None, *, json: Json = False, settings: SettingsFile = None) -> int:
    """Read every file of an archive to its last record: digests, ranges without holes, nothing twice.

    Ends with 1 where something is wrong, each fault in one line. Keys with --json: archive, logs, files, records,
    faults (a list of lines), notes (a list of lines; they are no faults).
    """
    from dataclasses import asdict

    from streams.archive import check_archive
    from streams.exit_codes import DONE, WORLD_FAILED

    where = _where(place, settings)
    checked = check_archive(where)
    verdict = "sound" if not checked.faults else f"{len(checked.faults)} faults"
    lines = [
        *(f"fault  {line}" for line in checked.faults),
        *(f"note   {line}" for line in checked.notes),
        f"{verdict}: {checked.records:,} records in {checked.files:,} files of {checked.logs} logs",
    ]
    print_result({"archive": str(where), **asdict(checked)}, "\n".join(lines), json=json)
    return WORLD_FAILED if checked.faults else DONE


def export(
    place: Place = None,
    *,
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="New file, .parquet or .jsonl (a recording).")],
    log: Annotated[str, typer.Option("--log", metavar="ID", help="Which log, where there are several.")] = "",
    feed: Annotated[str, typer.Option("--feed", metavar="NAME", help="Records of this feed alone.")] = "",
    start: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="Received at this time or later, as 2026-11-24T10:00Z.")
    ] = None,
    end: Annotated[str | None, typer.Option("--to-time", metavar="TIME", help="Received before this time.")] = None,
    json: Json = False,
    settings: SettingsFile = None,
) -> None:
    """Write records of one archived log to a file: Parquet with the archive's columns, or lines that can be replayed.

    Keys with --json: log, file, records.
    """
    from streams.archive import Wanted, choose_log, export_log

    wanted = Wanted(feed, read_time("--from", start), read_time("--to-time", end))
    chosen = choose_log(_where(place, settings), log)
    records = export_log(chosen, to, wanted)
    result = {"log": chosen.log_id, "file": str(to), "records": records}
    print_result(result, f"{records:,} records of log {chosen.log_id} written to {to}", json=json)


def _where(place: Path | None, settings: Path | None) -> Path:
    return place if place is not None else read_settings(settings).archive_folder


def _lines(log: Listed) -> str:
    """A log for people: a line of its own, then one for each hour and one for all parts."""
    lines = [
        f"log {log.log} ({log.scope})  offsets {log.first}-{log.last}  {log.records:,} records  {log.bytes:,} bytes",
        *(f"  {_moment(hour)}  {hour.first}-{hour.last}  {hour.bytes:,} bytes" for hour in log.hours),
    ]
    if log.parts:
        size = sum(part.bytes for part in log.parts)
        span = f"{log.parts[0].first}-{log.parts[-1].last}"
        lines.append(f"  {_moment(log.parts[0])}  {span}  {size:,} bytes in {len(log.parts)} parts")
    lines += [f"  missing: {first}-{last}" for first, last in log.holes]
    lines += [f"  set aside as damaged: {name}" for name in log.damaged]
    return "\n".join(lines)


def _moment(hour: Hour) -> str:
    if hour.from_us is None:
        return "cannot be read   "
    return datetime.fromtimestamp(hour.from_us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%MZ")
