"""mempool: documented and recorded shapes. The figures are of real epochs, the blocks are our own."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from aiohttp import web

from models.records import MINUTE_US, Network
from streams.feeds.http import joined
from streams.feeds.mempool import MempoolOptions
from tests.support.sources_contract import Case, Payload

AT = 1_711_854_930_000_000
BITS, DIFFICULTY = 386_097_875, 83_126_997_340_024.61  # of the epoch from block 836,640
HEIGHT, SUBSIDY = 837_050, 625_000_000
RECORDED = "recorded websocket messages of 2024-03-31 and 2025-04-01 in mempool's own tests, figures replaced"
REST = "https://mempool.space/docs/api/rest (blocks, reward-stats, difficulty-adjustment)"
SOCKET = "https://mempool.space/docs/api/websocket and mempool backend/src/api/websocket-handler.ts"


def block_id(height: int, fork: str = "0") -> str:
    """A block hash of this height."""
    return f"{height:0>63}{fork}"


def block(height: int, fees: int, **changes: Any) -> dict[str, Any]:
    """A block with total fees [satoshi]."""
    found: dict[str, Any] = {
        "id": block_id(height),
        "height": height,
        "version": 803_872_768,
        "timestamp": 1_711_850_338 - height % 7 * 300,
        "bits": BITS,
        "nonce": 2_002_092_656,
        "difficulty": DIFFICULTY,
        "tx_count": 3_191,
        "size": 2_117_591,
        "weight": 3_992_738,
        "previousblockhash": block_id(height - 1),
        "mediantime": 1_711_847_828,
        "stale": False,
        "extras": {
            "reward": SUBSIDY + fees,
            "totalFees": fees,
            "avgFee": fees // 3_191,
            "medianFee": 7.04,
            "pool": {"id": 111, "name": "Foundry USA", "slug": "foundryusa"},
        },
    }
    return found | changes


FEES = (12_000_000, 14_000_000, 13_000_000, 11_000_000)
BLOCKS = [block(HEIGHT - 3 + place, fees) for place, fees in enumerate(FEES)]
RETARGET = {
    "progressPercent": 20.33,
    "difficultyChange": 5.91,
    "estimatedRetargetDate": 1_712_766_704_114,
    "remainingBlocks": 1_606,
    "remainingTime": 911_596_114,
    "previousRetarget": -0.978,
    "previousTime": 1_711_619_463,
    "nextRetargetHeight": 838_656,
    "timeAvg": 574_743,
    "adjustedTimeAvg": 567_619,
    "timeOffset": 0,
    "expectedBlocks": 392.74,
}
REWARDS = {
    "startBlock": HEIGHT - 99,
    "endBlock": HEIGHT,
    "totalReward": str(100 * SUBSIDY + 1_311_748_254),
    "totalFee": "1311748254",
    "totalTx": "164216",
}
INIT = {
    "mempoolInfo": {"loaded": True, "size": 112_686, "total_fee": 5.1},
    "vBytesPerSecond": 2_364,
    "mempool-blocks": [{"blockSize": 2_162_709, "totalFees": 9_079_705, "nTx": 4_888}],
    "blocks": BLOCKS,
    "conversions": {"time": 1_711_854_906, "USD": 69_880, "EUR": -1},
    "backendInfo": {"version": "3.0.0-dev"},
    "da": RETARGET,
}


def network(fees_btc: float, fee_blocks: int, due_min: int = 10, **changes: Any) -> Network:
    """The state at the newest block."""
    given: dict[str, Any] = {
        "series": "network:btc",
        "source": "mempool",
        "event_time_us": AT,
        "receipt_time_us": AT,
        "next_due_us": AT + due_min * MINUTE_US,
        "height": HEIGHT,
        "difficulty": DIFFICULTY,
        "fees_btc_per_block": fees_btc,
        "fee_blocks": fee_blocks,
    }
    return Network(**given | changes)


def message(
    body: object, *gives: Network, cites: str = RECORDED, faults: int = 0, note: str = "connection=1"
) -> Payload:
    """A websocket message."""
    payload = body if isinstance(body, bytes) else orjson.dumps(body)
    return Payload(
        feed="mempool:ws", body=payload, cites=cites, receipt_time_us=AT, note=note, gives=gives, faults=faults
    )


def poll(*gives: Network, faults: int = 0, **changes: object) -> Payload:
    """The answers of one poll, newest block first."""
    answers: dict[str, object] = {"blocks": BLOCKS[::-1], "rewards": REWARDS, "retarget": RETARGET} | changes
    body = joined([(name, orjson.dumps(answer)) for name, answer in answers.items() if answer is not None])
    return Payload(feed="mempool:poll", body=body, cites=REST, receipt_time_us=AT, gives=gives, faults=faults)


FORK = [block(HEIGHT - 1, 14_000_000), block(HEIGHT, 15_000_000, id=block_id(HEIGHT, "a"))]
UNKNOWN = block(HEIGHT - 2, -1)
FEES_IN_BTC = block(HEIGHT, 0) | {"extras": {"reward": 6.38, "totalFees": 0.13}}


def options(url: str) -> MempoolOptions:
    """Options for a local server."""
    return MempoolOptions(
        websocket_url=f"{url.replace('http', 'ws', 1)}/api/v1/ws", rest_url=f"{url}/api/v1", every_s=60.0
    )


def serve(request: web.Request) -> web.Response:
    """The three REST addresses."""
    answers: dict[str, object] = {
        "/api/v1/blocks": BLOCKS[::-1],
        "/api/v1/mining/reward-stats/144": REWARDS,
        "/api/v1/difficulty-adjustment": RETARGET,
    }
    if request.method != "GET" or request.path not in answers:
        return web.Response(status=404, text=f"Cannot {request.method} {request.path}")
    return web.Response(body=orjson.dumps(answers[request.path]), content_type="application/json")


async def serve_socket(socket: web.WebSocketResponse) -> None:
    """Answer init with everything, want with nothing, ping with pong; send a block now and then."""
    wanted = asyncio.Event()
    height = HEIGHT

    async def answer() -> None:
        async for frame in socket:
            asked = orjson.loads(frame.data)
            if asked.get("action") == "init":
                await socket.send_str(orjson.dumps(INIT).decode())
            elif asked.get("action") == "want" and "blocks" in asked["data"]:
                wanted.set()
            elif asked.get("action") == "ping":
                await socket.send_str('{"pong":true}')

    answering = asyncio.create_task(answer())
    try:
        await wanted.wait()
        while not socket.closed and not answering.done():
            height += 1
            found = {"block": block(height, 10_000_000), "mempool-blocks": INIT["mempool-blocks"], "da": RETARGET}
            await socket.send_str(orjson.dumps(found).decode())
            await asyncio.sleep(0.05 if height < HEIGHT + 12 else 5.0)
    finally:
        answering.cancel()


CASE = Case(
    source="mempool",
    payloads=(
        message(INIT, network(0.125, 4)),
        message({"blocks": BLOCKS[::-1], "da": RETARGET}, network(0.125, 4)),
        message({"blocks": FORK, "da": RETARGET}, network(0.145, 2), cites=f"{SOCKET} (handleReorg)"),
        message({"block": block(HEIGHT, 11_000_000), "da": RETARGET}, network(0.11, 1)),
        message({"blocks": [BLOCKS[0], UNKNOWN, *BLOCKS[2:]]}, network(0.12, 2), faults=1),
        poll(network(0.1311748254, 100, 20)),
        poll(network(0.1311748254, 100, 20, height=HEIGHT - 1), blocks=BLOCKS[2::-1]),
    ),
    ignored=(
        message({"pong": True}, cites=SOCKET),
        message({"mempool-blocks": INIT["mempool-blocks"]}),
        message({"conversions": {"time": 1_711_854_906, "USD": 69_880}, "loadingIndicators": {}}, cites=SOCKET),
        message({"live-2h-chart": {"id": 1_319_298, "added": "2021-07-23T18:27:34.000Z", "total_fee": 6_198_583}}),
    ),
    refused=(
        message({"error": "limits exceeded"}, cites=SOCKET),
        message({"blocks": []}),
        message({"newBlock": block(HEIGHT, 11_000_000)}),
        message({"blocks": [BLOCKS[0], BLOCKS[2]]}),
        message({"blocks": [BLOCKS[2], block(HEIGHT, 11_000_000, previousblockhash=block_id(7))]}),
        message({"blocks": [BLOCKS[2], BLOCKS[2]]}),
        message({"block": block(HEIGHT, 11_000_000, difficulty=DIFFICULTY / 1_000)}),
        message({"block": block(HEIGHT, 11_000_000, difficulty=0)}),
        message({"block": block(HEIGHT + 3_000, 11_000_000)}),
        message({"block": block(HEIGHT, 11_000_000, stale=True)}),
        message({"block": FEES_IN_BTC}),
        message(b"<html>502 Bad Gateway</html>"),
        poll(rewards=None),
        poll(rewards=REWARDS | {"startBlock": HEIGHT - 143}),
        poll(rewards=REWARDS | {"totalFee": "-1"}),
        poll(rewards=REWARDS | {"startBlock": HEIGHT - 1_099, "endBlock": HEIGHT - 1_000}),
        poll(retarget=RETARGET | {"remainingBlocks": 1_500}),
        poll(blocks=[block(HEIGHT - 4, 11_000_000)]),
    ),
    options=options,
    aggregates=True,
    serve=serve,
    serve_socket=serve_socket,
)
