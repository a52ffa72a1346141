"""The log on real brokers: order, offsets, identity, size, and what an outage does to it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from streams.embedded import EmbeddedBroker
from streams.embedded.child import free_port
from streams.errors import LogChangedError, WorldError
from streams.log import (
    BrokerError,
    Connection,
    Limits,
    QueueFullError,
    RawProducer,
    RawReader,
    RecordTooLargeError,
    StaleTickError,
    TopicProducer,
    check_topic,
    create_topics,
    delete_topics,
    probe,
    verify_log,
)
from streams.wire import MAX_MESSAGE_BYTES, NO_OFFSET, Names, RawRecord
from tests.conftest import KafkaServer
from tests.support.real_kafka import RealKafka

RECEIPT_US = 1_718_582_400_000_000
HURRIED = Limits(stale_tick_s=0.5, request_timeout_ms=1_500)
WAIT_S = 60.0


@asynccontextmanager
async def log_of(
    bootstrap: str, names: Names, limits: Limits | None = None
) -> AsyncIterator[tuple[RawProducer, RawReader]]:
    """A log of its own with its producer and a reader at its beginning."""
    await create_topics(bootstrap, names)
    producer, reader = RawProducer(bootstrap, names, "test-1", limits=limits), RawReader(bootstrap, names)
    try:
        await producer.start()
        await reader.start()
        yield producer, reader
    finally:
        await producer.stop()
        await reader.stop()


async def read_until(reader: RawReader, enough: Callable[[list[RawRecord]], bool]) -> list[RawRecord]:
    """Read on until there is enough."""
    records: list[RawRecord] = []
    async with asyncio.timeout(WAIT_S):
        while not enough(records):
            records += await reader.read()
    return records


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait for a condition of the world outside, which cannot wake us."""
    async with asyncio.timeout(WAIT_S):
        while not await condition():  # noqa: ASYNC110 the world cannot wake us
            await asyncio.sleep(0.05)


def raw(position: int, feed: str = "observation", payload: bytes | None = None) -> RawRecord:
    """The record that the producer of these tests appends at this position."""
    body = b'{"position":%d}' % position if payload is None else payload
    return RawRecord(feed, RECEIPT_US + position, "test-1", position, body, position)


async def append(producer: RawProducer, *records: RawRecord) -> None:
    for record in records:
        assert await producer.append(record.feed, record.receipt_time_us, record.payload) == record.offset


async def test_records_come_back_in_order_with_their_headers(kafka: str, run_names: Names) -> None:
    expected = [raw(0), raw(1, "clock"), raw(2, "fleet", b""), raw(3, payload=bytes(range(256)))]
    async with log_of(kafka, run_names) as (producer, reader):
        await append(producer, *expected)
        assert await read_until(reader, lambda found: len(found) == 4) == expected
        assert reader.position == 4


async def test_records_queued_at_once_keep_their_order_and_numbers(kafka: str, run_names: Names) -> None:
    async with log_of(kafka, run_names) as (producer, reader):
        for position in range(5_000):
            producer.append_nowait("observation", RECEIPT_US + position, raw(position).payload)
        await producer.flush()
        assert producer.producer.queued == 0
        found = await read_until(reader, lambda found: len(found) == 5_000)
        assert found == [raw(position) for position in range(5_000)]
        assert producer.producer.stats.appended == 5_000


async def test_a_reader_starts_at_any_offset(kafka: str, run_names: Names) -> None:
    async with log_of(kafka, run_names) as (producer, reader):
        for position in range(10):
            producer.append_nowait("observation", RECEIPT_US + position, raw(position).payload)
        await producer.flush()
        for start in (7, 0, 9):
            reader.seek(start)
            assert await read_until(reader, bool) == [raw(position) for position in range(start, 10)]


async def test_a_read_at_the_end_returns_nothing_in_time_and_then_what_comes(kafka: str, run_names: Names) -> None:
    async with log_of(kafka, run_names) as (producer, reader):
        await append(producer, raw(0))
        await read_until(reader, bool)
        async with asyncio.timeout(WAIT_S):
            assert await reader.read(timeout_ms=50) == []
        await append(producer, raw(1))
        assert await read_until(reader, bool) == [raw(1)]


@pytest.mark.parametrize("sizes", [[], [1], [1, 1, 1], [10], [1, 10], [10, 1]], ids=str)
async def test_the_end_is_found_however_the_batches_were_cut(kafka: str, run_names: Names, sizes: list[int]) -> None:
    async with log_of(kafka, run_names) as (producer, reader):
        for size in sizes:
            for _ in range(size):
                producer.append_nowait("observation", RECEIPT_US, b"{}")
            await producer.flush()
        assert await reader.end_offset() == sum(sizes)
        assert await reader.first_offset() == 0
        assert await reader.record_at(sum(sizes)) is None


async def test_looking_up_a_record_leaves_the_position_alone(kafka: str, run_names: Names) -> None:
    async with log_of(kafka, run_names) as (producer, reader):
        for position in range(8):
            producer.append_nowait("observation", RECEIPT_US + position, raw(position).payload)
        await producer.flush()
        assert await reader.read(max_records=3, timeout_ms=5_000) == [raw(0), raw(1), raw(2)]
        assert await reader.record_at(6) == raw(6)
        assert await reader.record_at(0) == raw(0)
        assert await reader.record_at(8) is None
        assert await reader.record_at(1_000_000) is None
        assert await reader.end_offset() == 8
        assert await read_until(reader, lambda found: len(found) == 5) == [raw(position) for position in range(3, 8)]


async def test_a_log_is_known_by_the_hash_of_a_record(kafka: str, run_names: Names) -> None:
    async with log_of(kafka, run_names) as (producer, reader):
        await append(producer, raw(0), raw(1))
        await verify_log(reader, 1, raw(1).hash())
        await verify_log(reader, NO_OFFSET, "")
        with pytest.raises(LogChangedError) as changed:
            await verify_log(reader, 1, raw(0).hash())
    message = str(changed.value)
    assert "\n" not in message
    for part in ("LOG_CHANGED", "offset 1 ", raw(0).hash(), raw(1).hash(), "changeover rebuild --new-generation"):
        assert part in message


@pytest.mark.listed
async def test_a_log_shorter_than_the_head_is_refused(kafka: str, run_names: Names) -> None:
    async with log_of(kafka, run_names) as (producer, reader):
        with pytest.raises(LogChangedError, match="the log is empty"):
            await verify_log(reader, 0, raw(0).hash())
        await append(producer, raw(0), raw(1))
        with pytest.raises(LogChangedError, match=r"offset 2 .* the log holds offsets 0 to 1"):
            await verify_log(reader, 2, raw(2).hash())


@pytest.mark.listed
@pytest.mark.parametrize("length", [1, 2, 4], ids=["shorter", "as long", "longer"])
async def test_a_topic_made_anew_is_refused(kafka: str, run_names: Names, length: int) -> None:
    async with log_of(kafka, run_names) as (producer, _):
        await append(producer, raw(0), raw(1))
    await delete_topics(kafka, run_names)

    async def made_anew() -> bool:
        with contextlib.suppress(BrokerError):  # a broker may still be deleting
            return bool(await create_topics(kafka, run_names))
        return False

    await until(made_anew)
    async with log_of(kafka, run_names) as (producer, reader):
        await append(producer, *(raw(position, payload=b"other") for position in range(length)))
        with pytest.raises(LogChangedError, match="LOG_CHANGED"):
            await verify_log(reader, 1, raw(1).hash())


@pytest.mark.listed
@pytest.mark.parametrize("length", [0, 3, 8], ids=["empty", "as long", "longer"])
async def test_a_reader_that_goes_on_finds_out_that_the_embedded_broker_lost_its_log(
    own_broker: EmbeddedBroker, run_names: Names, length: int
) -> None:
    async with log_of(own_broker.bootstrap, run_names) as (producer, reader):
        await append(producer, raw(0), raw(1), raw(2))
        await read_until(reader, lambda found: len(found) == 3)
        await producer.stop()
        own_broker.kill()
        own_broker.start()
        async with log_of(own_broker.bootstrap, run_names) as (again, _):
            await append(again, *(raw(position, payload=b"other") for position in range(length)))
            with pytest.raises(LogChangedError, match=r"LOG_CHANGED: offset 2 .*must hold the record with hash"):
                await read_until(reader, bool)


@pytest.mark.listed
async def test_a_reader_that_goes_on_finds_out_that_kafka_lost_its_log(
    own_real_kafka: RealKafka, run_names: Names
) -> None:
    async with log_of(own_real_kafka.bootstrap, run_names) as (producer, reader):
        await append(producer, raw(0), raw(1), raw(2))
        await read_until(reader, lambda found: len(found) == 3)
        await producer.stop()
        own_real_kafka.kill()
        own_real_kafka.lose_log()
        own_real_kafka.start()
        async with log_of(own_real_kafka.bootstrap, run_names) as (again, _):
            await append(again, *(raw(position, payload=b"other") for position in range(8)))
            with pytest.raises(LogChangedError, match="LOG_CHANGED"):  # either by position or by record
                await read_until(reader, bool)


async def test_a_position_that_the_log_does_not_hold_is_refused_by_kafka(
    real_kafka: RealKafka, run_names: Names
) -> None:
    async with log_of(real_kafka.bootstrap, run_names) as (producer, reader):
        await append(producer, raw(0))
        reader.seek(5)
        with pytest.raises(LogChangedError, match="holds offsets 0 to 0 and was to be read from 5"):
            await read_until(reader, bool)


async def test_a_record_as_large_as_allowed_passes_and_a_larger_one_is_refused(kafka: str, run_names: Names) -> None:
    largest = MAX_MESSAGE_BYTES - 256
    async with log_of(kafka, run_names) as (producer, reader):
        await append(producer, raw(0, payload=os.urandom(largest)))
        with pytest.raises(RecordTooLargeError, match=r"a record of 16777[0-9]+ bytes is larger than .*16777216 bytes"):
            await producer.append("observation", RECEIPT_US, bytes(MAX_MESSAGE_BYTES))
        with pytest.raises(RecordTooLargeError):
            producer.append_nowait("observation", RECEIPT_US, bytes(MAX_MESSAGE_BYTES))
        assert producer.producer.stats.refused == 2
        (record,) = await read_until(reader, bool)
        assert len(record.payload) == largest


async def test_a_topic_that_takes_less_refuses_only_the_record_that_is_too_large(
    real_kafka: RealKafka, run_names: Names
) -> None:
    topic = run_names.topic("raw")
    admin = AIOKafkaAdminClient(bootstrap_servers=real_kafka.bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, 1, topic_configs={"max.message.bytes": "10000"})])
    await admin.close()
    assert any("max.message.bytes=10000" in line for line in await check_topic(real_kafka.bootstrap, run_names))
    producer = TopicProducer(real_kafka.bootstrap, topic)
    await producer.start()
    try:
        sizes = [100, 20_000, 200, 9_000, 9_000]
        results = await asyncio.gather(*(producer.append(bytes(size)) for size in sizes), return_exceptions=True)
    finally:
        await producer.stop()
    assert [results[0], *results[2:]] == [0, 1, 2, 3]
    assert isinstance(results[1], RecordTooLargeError)
    assert "max.message.bytes must be 16777216" in str(results[1])


@pytest.mark.listed
async def test_a_broker_that_is_down_at_start_gives_one_clear_line(run_names: Names) -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    for start in (
        create_topics(nowhere, run_names),
        check_topic(nowhere, run_names),
        RawProducer(nowhere, run_names, "test-1").start(),
        RawReader(nowhere, run_names).start(),
    ):
        with pytest.raises(BrokerError) as error:
            await start
        assert str(error.value).startswith(f"Kafka at {nowhere}: cannot ")
        assert "no broker answers; start it, or let KAFKA_BROKERS name where it runs" in str(error.value)
        assert error.value.retriable


async def test_a_missing_topic_is_named_and_not_brought_about(kafka: str, run_names: Names) -> None:
    for start in (RawProducer(kafka, run_names, "test-1").start(), RawReader(kafka, run_names).start()):
        with pytest.raises(WorldError, match=f"has no topic {run_names.topic('raw')}"):
            await start
    assert f"topic {run_names.topic('raw')} does not exist" in await check_topic(kafka, run_names)


async def test_topics_are_made_once_and_as_they_must_be(kafka: str, run_names: Names) -> None:
    made = await create_topics(kafka, run_names)
    names = ("raw", "rejected", "signals", "observations", "checkpoints")
    assert made == [run_names.topic(name) for name in names]
    assert await create_topics(kafka, run_names) == []
    assert await check_topic(kafka, run_names) == []


async def test_each_violation_of_the_log_topic_is_a_line(kafka: str, run_names: Names) -> None:
    topic = run_names.topic("raw")
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    config = {"cleanup.policy": "compact,delete", "retention.ms": "1000", "retention.bytes": "5"}
    await admin.create_topics([NewTopic(topic, 2, 1, topic_configs=config | {"max.message.bytes": "1000"})])
    await admin.close()
    await create_topics(kafka, run_names)
    assert await check_topic(kafka, run_names, keep_ms=2_000) == [
        f"topic {topic} has 2 partitions and must have exactly 1: the log is one order of all records",
        f"topic {topic} has cleanup.policy=compact,delete and must have delete: compaction rewrites the log",
        f"topic {topic} has retention.ms=1000 and must have -1 or at least 2000, the age of the oldest kept checkpoint",
        f"topic {topic} has retention.bytes=5 and must have -1",
        f"topic {topic} has max.message.bytes=1000 and must have at least 16777216",
    ]


async def test_a_single_broker_is_not_fit_for_production(kafka_server: KafkaServer, run_names: Names) -> None:
    await create_topics(kafka_server.bootstrap, run_names)
    lines = await check_topic(kafka_server.bootstrap, run_names, production=True)
    topic = run_names.topic("raw")
    assert f"topic {topic} has min.insync.replicas=1 and must have 2" in lines
    if kafka_server.kind != "external":
        assert f"topic {topic} has 1 replicas and must have at least 3" in lines


async def test_the_producer_numbers_itself_where_the_broker_allows_it(
    kafka_server: KafkaServer, run_names: Names, caplog: pytest.LogCaptureFixture
) -> None:
    can = await probe(Connection(bootstrap=kafka_server.bootstrap))
    if kafka_server.kind != "external":
        assert can.idempotent is (kafka_server.kind == "kafka")
    async with log_of(kafka_server.bootstrap, run_names) as (producer, _):
        assert producer.producer.idempotent is can.idempotent
    lines = [message for message in caplog.messages if "gives no producer ids" in message]
    assert len(lines) == (0 if can.idempotent else 1)


@pytest.mark.guarantee("G1")
@pytest.mark.parametrize("crash", [False, True], ids=["stopped", "killed"])
async def test_a_producer_loses_no_record_but_stale_ticks_over_a_restart_of_kafka(
    own_real_kafka: RealKafka, run_names: Names, *, crash: bool
) -> None:
    async with log_of(own_real_kafka.bootstrap, run_names, HURRIED) as (producer, reader):
        sent = 0

        def send() -> None:
            nonlocal sent
            producer.append_nowait("observation", RECEIPT_US, b"%d" % sent)  # counter 2 * sent
            producer.append_nowait("clock", RECEIPT_US, b"%d" % sent)  # counter 2 * sent + 1
            sent += 1

        send()
        await producer.flush()
        if crash:
            own_real_kafka.kill()
        else:
            own_real_kafka.pause()
        async with asyncio.timeout(WAIT_S):
            while not producer.producer.stats.outage:
                send()
                await asyncio.sleep(0.02)
        own_real_kafka.start()
        async with asyncio.timeout(WAIT_S):
            await producer.flush()
        send()
        await producer.flush()
        dropped = producer.producer.dropped_ticks
        found = await read_until(reader, lambda found: found != [] and found[-1].counter == 2 * sent - 1)
    assert [record.counter for record in found if record.feed == "observation"] == list(range(0, 2 * sent, 2))
    ticks = [record.counter for record in found if record.feed == "clock"]
    assert ticks == sorted(set(ticks))
    assert 0 < dropped == sent - len(ticks)
    assert producer.producer.stats.outage == ""


@pytest.mark.guarantee("G1")
async def test_a_batch_whose_acknowledgement_was_lost_is_stored_again_under_its_numbers(
    own_broker: EmbeddedBroker, run_names: Names
) -> None:
    async with log_of(own_broker.bootstrap, run_names, HURRIED) as (producer, reader):
        os.kill(own_broker.pid, signal.SIGSTOP)
        try:
            for position in range(100):
                producer.append_nowait("observation", RECEIPT_US + position, raw(position).payload)
            await until(lambda: asyncio.sleep(0, producer.producer.stats.reconnects > 1))
        finally:
            os.kill(own_broker.pid, signal.SIGCONT)
        async with asyncio.timeout(WAIT_S):
            await producer.flush()
        found = await read_until(reader, lambda found: {record.counter for record in found} == set(range(100)))
    first = {record.counter: record for record in reversed(found)}
    assert [first[number].payload for number in range(100)] == [raw(number).payload for number in range(100)]
    assert producer.producer.stats.appended == 100


async def test_what_waits_is_bounded_and_ticks_give_way(own_broker: EmbeddedBroker, run_names: Names) -> None:
    limits = Limits(stale_tick_s=0.0, max_records=3, request_timeout_ms=60_000)
    async with log_of(own_broker.bootstrap, run_names, limits) as (producer, reader):
        os.kill(own_broker.pid, signal.SIGSTOP)
        try:
            stuck = asyncio.create_task(producer.append("observation", RECEIPT_US, b"under way"))
            await until(lambda: asyncio.sleep(0, bool(producer.producer._under_way)))
            tick = asyncio.create_task(producer.append("clock", RECEIPT_US, b"waits"))
            await asyncio.sleep(0)
            for number in range(3):  # the tick that waits gives way to the last of them
                producer.append_nowait("observation", RECEIPT_US, b"%d" % number)
            with pytest.raises(StaleTickError):
                await tick
            producer.append_nowait("clock", RECEIPT_US, b"no room")
            with pytest.raises(QueueFullError, match=r"4 records .* wait for Kafka"):
                producer.append_nowait("observation", RECEIPT_US, b"no room")
            waits = asyncio.create_task(producer.append("observation", RECEIPT_US, b"patient"))
            assert producer.producer.dropped_ticks == 2
        finally:
            os.kill(own_broker.pid, signal.SIGCONT)
        assert await stuck == 0
        assert await waits == 4
        found = await read_until(reader, lambda found: len(found) == 5)
        assert [record.payload for record in found] == [b"under way", b"0", b"1", b"2", b"patient"]


async def test_closing_sends_what_waits(kafka: str, run_names: Names) -> None:
    async with log_of(kafka, run_names) as (producer, reader):
        for position in range(1_000):
            producer.append_nowait("observation", RECEIPT_US + position, raw(position).payload)
        assert await producer.stop() == 0
        assert len(await read_until(reader, lambda found: len(found) == 1_000)) == 1_000
        with pytest.raises(WorldError, match="is not open"):
            producer.append_nowait("observation", RECEIPT_US, b"{}")


async def test_closing_while_the_broker_is_away_tells_what_may_be_lost(
    own_broker: EmbeddedBroker, run_names: Names
) -> None:
    async with log_of(own_broker.bootstrap, run_names, HURRIED) as (producer, _):
        own_broker.stop()
        waiting = asyncio.create_task(producer.append("observation", RECEIPT_US, b"{}"))
        await until(lambda: asyncio.sleep(0, bool(producer.producer.stats.outage)))
        assert await producer.stop(timeout_s=0.1) == 1
        with pytest.raises(WorldError, match="may be lost: closed before Kafka acknowledged it"):
            await waiting


def test_live_topics_are_never_deleted() -> None:
    with pytest.raises(ValueError, match="live topics are never deleted"):
        asyncio.run(delete_topics("127.0.0.1:1", Names("live")))
