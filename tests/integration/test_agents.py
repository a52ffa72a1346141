"""The public way in, as a process: what outsiders write gets into the log or is rejected with a reason, never lost."""

from __future__ import annotations

import asyncio
import time

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from streams.fleetfile import encode_miner, read_miners
from streams.parse import parse
from tests.support.stage import WAIT_S, Stage, until, worker
from tests.support.story import EXAMPLES, START_US, STEP_US, epoch_start, prices, tick


def rate(series: str, usd: float = 2.1) -> dict[str, object]:
    """An observation that is admitted."""
    now_us = time.time_ns() // 1_000
    return {
        "kind": "gpu_rate",
        "series": series,
        "event_time_us": now_us,
        "next_due_us": now_us + 3_600_000_000,
        "usd_per_gpu_hour": usd,
    }


async def write(stage: Stage, messages: list[object], principal: str | None = "desk-a") -> None:
    """Write to topic observations as an outsider does."""
    producer = AIOKafkaProducer(bootstrap_servers=stage.bootstrap)
    await producer.start()
    headers = None if principal is None else [("principal", principal.encode())]
    try:
        for message in messages:
            value = message if isinstance(message, bytes) else orjson.dumps(message)
            await producer.send_and_wait(stage.names.topic("observations"), value, headers=headers)
    finally:
        await producer.stop()


async def admitted(stage: Stage, count: int) -> list[dict[str, object]]:
    """The observations of outsiders in the log, once there are so many."""
    async with asyncio.timeout(WAIT_S):
        while True:
            found = [
                each for raw in await stage.log() if raw.feed == "observation" for each in orjson.loads(raw.payload)
            ]
            if len({orjson.dumps(each) for each in found}) >= count:
                return found
            await asyncio.sleep(0.1)


async def rejected(stage: Stage, count: int) -> list[dict[str, object]]:
    """The messages of topic rejected, once there are so many."""

    async def enough() -> bool:
        return len(await stage.topic("rejected")) >= count

    await until(enough)
    return [orjson.loads(value) for _, _, value in await stage.topic("rejected")]


async def test_an_observation_is_stamped_with_who_and_when_and_a_series_of_its_own(stage: Stage) -> None:
    await stage.append([tick(START_US)])
    with stage.service("agents") as process:
        process.wait_ready()
        before_us = time.time_ns() // 1_000
        await write(stage, [rate("H100-SXM"), [rate("A100"), rate("B200")]])
        found = await admitted(stage, 3)
        assert process.stop() == 0
    assert [each["series"] for each in found] == [
        "gpu:private.desk-a.H100-SXM",
        "gpu:private.desk-a.A100",
        "gpu:private.desk-a.B200",
    ]
    assert {each["source"] for each in found} == {"private:desk-a"}
    (single, both) = [raw for raw in await stage.log() if raw.feed == "observation"]
    assert before_us <= single.receipt_time_us <= both.receipt_time_us <= time.time_ns() // 1_000
    assert parse(single).faults == []
    assert len(parse(both).records) == 2


@pytest.mark.guarantee("G4")
async def test_what_is_refused_goes_to_topic_rejected_and_what_stands_beside_it_is_admitted(stage: Stage) -> None:
    await stage.append([tick(START_US)])
    wrong: list[tuple[object, str]] = [
        (b"{", "JSON"),
        (b"", "JSON"),
        (rate("H100") | {"usd_per_gpu_hour": -1}, "usd_per_gpu_hour"),
        (rate("H100") | {"colour": 1}, "colour"),
        (rate("H100") | {"principal": "desk-b"}, "differ"),
        ({"kind": "btc_price"}, "kind"),
        (rate("H100") | {"series": "desk-b.H100"}, "series"),
    ]
    with stage.service("agents") as process:
        process.wait_ready()
        for message, _ in wrong:
            await write(stage, [message, rate("H100")])
        found = await rejected(stage, len(wrong))
        await admitted(stage, 1)
        status, metrics = process.get("/metrics")
    assert status == 200
    assert b"changeover_agents_observations_refused_total 7.0" in metrics
    for each, (_, reason) in zip(found, wrong, strict=True):
        assert reason in str(each["reason"])
        assert each["topic"] == stage.names.topic("observations")


@pytest.mark.guarantee("G1")
async def test_agents_killed_in_the_middle_lose_no_message(stage: Stage) -> None:
    await stage.append([tick(START_US)])
    names = [f"n{number}" for number in range(300)]
    with stage.service("agents") as process:
        process.wait_ready()
        writing = asyncio.create_task(write(stage, [rate(name) for name in names]))
        await admitted(stage, 20)
        process.kill()
        await writing
    with stage.service("agents"):
        found = await admitted(stage, len(names))
    assert {str(each["series"]).removeprefix("gpu:private.desk-a.") for each in found} == set(names)


async def test_a_desks_private_power_curve_moves_a_site_that_names_it(stage: Stage) -> None:
    (miner,) = read_miners(EXAMPLES / "ladder.toml")
    text = encode_miner(miner).replace(b'"ERCOT:HB_SOUTH"', b'"PRIVATE:desk-a.hub"')
    now_us = time.time_ns() // 1_000
    market = ("observation", now_us, prices(10.0, now_us))
    await stage.append([epoch_start(1), tick(now_us), ("fleet", START_US, text), market])
    dear = {
        "kind": "power_price",
        "series": "hub",
        "event_time_us": now_us,
        "end_time_us": now_us + 300_000_000,
        "next_due_us": now_us + 2 * STEP_US,
        "usd_per_mwh": 4_000.0,
    }
    with stage.service("agents") as process:
        process.wait_ready()
        async with worker(stage) as engine:
            await write(stage, [dear])
            await admitted(stage, 4)
            await stage.append([tick(now_us + STEP_US)], "test-2")

            async def switched() -> bool:
                return len((await stage.stored()).get("ladder", [])) >= 6

            await until(switched)
    entries = (await stage.stored())["ladder"]
    assert engine.ending is None
    switches = [orjson.loads(entry.json) for entry in entries if b'"kind":"switch"' in entry.json]
    assert {(each["to"], each["load"]) for each in switches} == {("off", load.key) for load in miner.site[0].asic}
    assert all("power:PRIVATE:desk-a.hub:rt" in str(each["inputs"]) for each in switches)
