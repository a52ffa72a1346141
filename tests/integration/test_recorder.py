"""The recorder: whatever is killed, lost or full, each record of the log is archived once and replays to the bit."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from models.signals import digest_of
from streams.archive import ArchivedLog, check_archive, choose_log, log_folders
from streams.cli import main
from streams.embedded import EmbeddedBroker
from streams.fleetfile import encode_miner
from streams.log import Connection, RawProducer
from streams.log.connection import admin_client
from streams.process import Process
from streams.recorder import Recorder
from streams.replay import in_digest_order
from streams.settings import Archive
from streams.wire import Names, RawRecord
from tests.support.logs import examples
from tests.support.real_kafka import RealKafka
from tests.support.stage import WAIT_S, ServiceProcess, Stage, until, worker
from tests.support.story import CONFIG, START_US, closing_tick, epoch_start, opening, steps

FLUSH_S = 0.1
HOUR_US = 3_600_000_000


def archive_of(stage: Stage) -> Path:
    """Where a stage's recorder writes."""
    return stage.folder / "archive"


def recorded(stage: Stage) -> list[RawRecord]:
    """Everything that the stage's one archived log gives, once a check has found it sound."""
    assert check_archive(archive_of(stage)).faults == []
    return list(choose_log(archive_of(stage)).records())


@asynccontextmanager
async def recorder(stage: Stage) -> AsyncIterator[Process]:
    """A recorder in this process, stopped with the block."""
    archive = Archive(folder=archive_of(stage), flush_s=FLUSH_S)
    process = Process(stage.settings.model_copy(update={"archive": archive}), "recorder")
    task = asyncio.create_task(Recorder(process).run())
    try:
        yield process
        process.stopping.set()
        await asyncio.wait_for(task, WAIT_S)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until_recorded(process: Process, offset: int) -> None:
    """Wait until an offset is on the disk."""

    async def there() -> bool:
        return process.health.facts.get("last_offset") == offset

    await until(there)


def venue(number: int) -> tuple[str, int, bytes]:
    """A record of a market whose hour turns every 200 of them."""
    return "venue", START_US + number * HOUR_US // 200, b'{"price":%d}' % number


async def burst(stage: Stage, seconds: float, per_second: int, enough: asyncio.Event) -> int:
    """Append records for so long, and until it is enough, some with a note; how many."""
    await stage.make_topics()
    producer = RawProducer(stage.bootstrap, stage.names, "burst")
    await producer.start()
    began, number = time.monotonic(), 0
    try:
        while (passed_s := time.monotonic() - began) < seconds or not enough.is_set():
            while number < passed_s * per_second:
                producer.append_nowait(*venue(number), note=f"page {number}" if number % 3 == 0 else "")
                number += 1
            await asyncio.sleep(0.01)
        await producer.flush()
    finally:
        await producer.stop()
    return number


async def kill_ten(stage: Stage, seconds: float, variables: dict[str, str]) -> None:
    """Start ten recorders one after the other and kill each at a moment of its own."""
    moments = random.Random(11)
    for _ in range(10):
        with stage.service("recorder", **variables) as process:
            await asyncio.to_thread(process.wait_ready)
            await asyncio.sleep(moments.uniform(0.0, seconds / 40))
            process.kill()
        if archive_of(stage).exists() and log_folders(archive_of(stage)):
            assert (await asyncio.to_thread(check_archive, archive_of(stage))).faults == []


async def killed_ten_times(stage: Stage, seconds: float, per_second: int) -> int:
    """Kill ten recorders during a burst, let one more come to its end; the records appended."""
    enough = asyncio.Event()
    appending = asyncio.create_task(burst(stage, seconds, per_second, enough))
    variables = {"CHANGEOVER_ARCHIVE": str(archive_of(stage)), "CHANGEOVER_ARCHIVE_FLUSH_S": "0.05"}
    try:
        await kill_ten(stage, seconds, variables)
        enough.set()
        number = await appending
    finally:
        appending.cancel()
        await asyncio.gather(appending, return_exceptions=True)
    with stage.service("recorder", **variables) as process:
        await asyncio.to_thread(process.wait_for, offset_reached(process, number - 1))
        assert b"changeover_recorder_last_offset" in process.get("/metrics")[1]
        assert process.stop() == 0, process.said
    return number


def offset_reached(process: ServiceProcess, offset: int) -> Callable[[], bool]:
    """Whether a recorder's process says that an offset is on the disk."""
    return lambda: process.report().get("last_offset") == offset


@pytest.mark.guarantee("G1")
@pytest.mark.parametrize(
    ("seconds", "per_second"), [(10.0, 200), pytest.param(60.0, 500, marks=pytest.mark.slow)], ids=["10s", "60s"]
)
async def test_killed_ten_times_during_a_burst_nothing_is_lost_or_doubled(
    stage: Stage, seconds: float, per_second: int
) -> None:
    number = await killed_ten_times(stage, seconds, per_second)
    log = await stage.log()
    assert recorded(stage) == log
    assert [record.payload for record in log] == [venue(each)[2] for each in range(number)]
    assert {record.note for record in log} >= {"", "page 3"}


@pytest.mark.guarantee("G2")
async def test_an_archived_run_replays_to_the_digest_of_what_was_published(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    fleets = [("fleet", START_US, encode_miner(miner)) for miner in examples()]
    async with recorder(stage) as recording, worker(stage):
        another = epoch_start(2, replace(CONFIG, policy="band"))
        await stage.append([*opening(), *fleets, *steps(0, 8), another, *steps(8, 8)])
        names = sorted(miner.key for miner in examples())
        offset = (await stage.append([closing_tick()], "closing"))[0]
        for name in names:
            await stage.until_head(offset, name)
        await until_recorded(recording, offset)
    published = await stage.stored()
    assert sorted(published) == names
    assert len(names) > 2
    for parts in ("1", "2"):
        words = ["replay", "--archive", str(archive_of(stage)), "--json", "--parts", parts]
        assert await asyncio.to_thread(main, words) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["signals"] > 10
        assert found["digest"] == digest_of(in_digest_order(published))
        assert found["miners"] == {name: len(entries) for name, entries in published.items()}
        assert (found["records"], list(found["epochs"]), found["notes"]) == (offset + 1, ["1", "2"], [])


async def test_a_recorder_goes_on_behind_what_it_has(stage: Stage) -> None:
    await stage.append(venue(number) for number in range(30))
    async with recorder(stage) as process:
        await until_recorded(process, 29)
    await stage.append((venue(number) for number in range(30, 50)), "again")
    async with recorder(stage) as process:
        await until_recorded(process, 49)
        assert process.health.ready
    assert recorded(stage) == await stage.log()


async def test_an_empty_log_is_waited_for(stage: Stage) -> None:
    async with recorder(stage) as process:

        async def waiting() -> bool:
            return process.health.state == "waiting for the log's first record"

        await until(waiting)
        assert process.health.ready
        await stage.append([venue(0)])
        await until_recorded(process, 0)
    assert recorded(stage) == await stage.log()


@pytest.mark.parametrize("length", [2, 9], ids=["shorter", "longer"])
async def test_another_log_gets_a_folder_of_its_own(
    own_broker: EmbeddedBroker, redis_url: str, run_names: Names, tmp_path: Path, length: int
) -> None:
    stage = Stage(own_broker.bootstrap, redis_url, run_names, tmp_path)
    await stage.append(venue(number) for number in range(5))
    async with recorder(stage) as process:
        await until_recorded(process, 4)
        first = await stage.log()
        own_broker.kill()
        own_broker.start()
        await stage.append((venue(number) for number in range(length)), "after")
        await until_recorded(process, length - 1)
    folders = log_folders(archive_of(stage))
    assert len(folders) == 2
    found = [list(ArchivedLog(folder).records()) for folder in folders]
    assert sorted(found, key=len) == sorted([first, await stage.log()], key=len)
    assert check_archive(archive_of(stage)).faults == []


async def test_what_kafka_dropped_before_it_was_recorded_is_a_hole_that_is_said(
    real_kafka: RealKafka, redis_url: str, run_names: Names, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stage = Stage(real_kafka.bootstrap, redis_url, run_names, tmp_path)
    await stage.append(venue(number) for number in range(10))
    async with recorder(stage) as process:
        await until_recorded(process, 9)
    await stage.append((venue(number) for number in range(10, 30)), "again")
    partition = TopicPartition(run_names.topic("raw"), 0)
    async with admin_client(Connection(bootstrap=stage.bootstrap)) as client:
        await client.delete_records({partition: RecordsToDelete(before_offset=25)})
    async with recorder(stage) as process:
        await until_recorded(process, 29)
    assert "records 10 to 24 were gone" in caplog.text
    (fault,) = check_archive(archive_of(stage)).faults
    assert fault.endswith("records 10 to 24 are missing")
    assert [record.offset for record in choose_log(archive_of(stage)).records()] == [*range(10), *range(25, 30)]


async def test_while_the_disk_refuses_it_holds_and_then_loses_nothing(stage: Stage) -> None:
    await stage.append(venue(number) for number in range(5))
    async with recorder(stage) as process:
        await until_recorded(process, 4)
        parts = Path(str(process.health.facts["folder"])) / "parts"
        parts.rename(parts.with_name("away"))
        parts.write_bytes(b"")
        await stage.append((venue(number) for number in range(5, 300)), "again")

        async def refused() -> bool:
            return "the disk refuses" in process.health.state and not process.health.ready

        await until(refused)
        assert process.health.facts["last_offset"] == 4
        parts.unlink()
        parts.with_name("away").rename(parts)
        await until_recorded(process, 299)
        assert process.health.ready
    assert recorded(stage) == await stage.log()


async def test_a_recorder_stopped_while_the_disk_refuses_ends_and_the_next_one_goes_on(stage: Stage) -> None:
    await stage.append(venue(number) for number in range(5))
    archive_of(stage).write_bytes(b"no folder")
    async with recorder(stage) as process:

        async def refused() -> bool:
            return "the disk refuses" in process.health.state

        await until(refused)
    archive_of(stage).unlink()
    async with recorder(stage) as process:
        await until_recorded(process, 4)
    assert recorded(stage) == await stage.log()


async def test_a_second_recorder_stands_by_and_takes_over(stage: Stage) -> None:
    await stage.append(venue(number) for number in range(5))
    async with recorder(stage) as second:
        async with recorder(stage) as first:

            async def one_each() -> bool:
                states = sorted(process.health.state.partition(":")[0] for process in (first, second))
                return states == ["recording", "standing by"]

            await until(one_each)
            await stage.append([venue(5)], "again")
        await stage.append([venue(6)], "third")
        await until_recorded(second, 6)
    assert recorded(stage) == await stage.log()


async def test_a_record_that_is_none_of_ours_is_kept_as_the_worker_sees_it(stage: Stage) -> None:
    await stage.append([("venue", 2**63, b"{}"), venue(1)])
    async with recorder(stage) as process:
        await until_recorded(process, 1)
    log = await stage.log()
    assert log[0].feed == ""
    assert recorded(stage) == log


def test_the_recorder_refuses_a_setting_that_is_none(stage: Stage) -> None:
    with stage.service("recorder", CHANGEOVER_ARCHIVE_FLUSH_S="0") as process:
        assert process.wait() == 2
    assert "[archive]" in process.said or "CHANGEOVER_ARCHIVE_FLUSH_S" in process.said
