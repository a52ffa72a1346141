"""bitcoind: answers of getmininginfo and getblockstats over JSON-RPC."""

from __future__ import annotations

import base64
import json
from typing import Any

import orjson
from aiohttp import web

from models.records import MINUTE_US, Network
from streams.feeds.bitcoind import BitcoindOptions
from streams.feeds.http import joined
from tests.support.asked import body_of
from tests.support.sources_contract import Case, Payload

AT = 1_770_200_000_000_000
HEIGHT, SUBSIDY, DIFFICULTY = 933_586, 312_500_000, 141_668_107_417_558.2
USER, PASSWORD = "__cookie__", "cookie-of-the-test"
MINING = "https://bitcoincore.org/en/doc/30.0.0/rpc/mining/getmininginfo/, a recorded answer of 2026-02"
STATS = "bitcoin test/functional/data/rpc_getblockstats.json"
RPC = "https://github.com/bitcoin/bitcoin/blob/master/doc/JSON-RPC-interface.md"


def info(**changes: Any) -> dict[str, Any]:
    """The result of getmininginfo."""
    return {
        "blocks": HEIGHT,
        "currentblockweight": 1_228_822,
        "currentblocktx": 1_051,
        "bits": "1701fca1",
        "difficulty": DIFFICULTY,
        "target": f"{'1fca1':0>24}{'':0>40}",
        "networkhashps": 934_512_955_213_370_500_000,  # past 64 bits, as the node writes it
        "pooledtx": 1_094,
        "chain": "main",
        "next": {"height": HEIGHT + 1, "bits": "1701fca1", "difficulty": DIFFICULTY},
        "warnings": "",
    } | changes


def dumped(value: object) -> bytes:
    """JSON with whole numbers of any length."""
    return json.dumps(value).encode()


def answer(result: object, call_id: object, error: object = None) -> dict[str, object]:
    """One answer of JSON-RPC."""
    return {"result": result, "error": error, "id": call_id}


def stats(height: int, fees: int, **changes: Any) -> dict[str, object]:
    """The answer to getblockstats of a height."""
    return answer({"height": height, "subsidy": SUBSIDY, "totalfee": fees} | changes, height)


def poll(
    tip: object, *batches: object, gives: tuple[Network, ...] = (), faults: int = 0, cites: str = STATS
) -> Payload:
    """One record: the tip and the batches of fees."""
    parts = [("getmininginfo", dumped(tip)), *(("getblockstats", dumped(batch)) for batch in batches)]
    return Payload(feed="bitcoind", body=joined(parts), cites=cites, receipt_time_us=AT, gives=gives, faults=faults)


def network(fees_btc: float, fee_blocks: int, **changes: Any) -> Network:
    """The state at the tip."""
    given: dict[str, Any] = {
        "series": "network:btc",
        "source": "bitcoind",
        "event_time_us": AT,
        "receipt_time_us": AT,
        "next_due_us": AT + 20 * MINUTE_US,
        "height": HEIGHT,
        "difficulty": DIFFICULTY,
        "fees_btc_per_block": fees_btc,
        "fee_blocks": fee_blocks,
    }
    return Network(**given | changes)


TIP = answer(info(), "getmininginfo")
WHOLE = [stats(height, 2_000_000) for height in range(HEIGHT - 143, HEIGHT + 1)]
NEWER = [stats(HEIGHT - 1, 3_000_000), stats(HEIGHT, 4_000_000)]
OLD_NODE = {key: value for key, value in info().items() if key not in {"bits", "target", "next"}}
PRUNED = answer(None, HEIGHT - 2, {"code": -1, "message": "Block not available (pruned data)"})
STARTING = answer(None, None, {"code": -28, "message": "Loading block index…"})


def options(url: str) -> BitcoindOptions:
    """Options for a local server."""
    return BitcoindOptions(url=url, every_s=5.0)


def serve(request: web.Request) -> web.Response:
    """JSON-RPC with a user and a password; wrong ones get 401 without a word, as the node does."""
    token = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    if request.headers.get("Authorization") != f"Basic {token}":
        return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="jsonrpc"'})
    if request.method != "POST":
        return web.Response(status=405, text="JSONRPC server handles only POST requests")
    asked = orjson.loads(body_of(request))
    if isinstance(asked, list):
        found: object = [stats(call["params"][0], 2_000_000) for call in asked]
    elif asked["method"] == "getmininginfo":
        found = TIP
    else:
        error = {"code": -32601, "message": "Method not found"}
        return web.Response(status=404, body=dumped(answer(None, asked["id"], error)))
    return web.Response(body=dumped(found), content_type="application/json")


CASE = Case(
    source="bitcoind",
    payloads=(
        poll(TIP, WHOLE, gives=(network(0.02, 144),), cites=f"{MINING}; {STATS}"),
        poll(TIP, NEWER, gives=(network(0.035, 2),)),
        poll(TIP, NEWER, [stats(HEIGHT, 5_000_000)], gives=(network(0.04, 2),)),
        poll(answer(OLD_NODE, 1), NEWER, gives=(network(0.035, 2),), cites="getmininginfo of version 27"),
        poll(TIP, [stats(HEIGHT - 3, 1), PRUNED, *NEWER], gives=(network(0.035, 2),), faults=1, cites=RPC),
        poll(TIP, [stats(HEIGHT - 1, 3_000_000, subsidy=625_000_000), NEWER[1]], gives=(network(0.04, 1),), faults=1),
        poll(TIP, [stats(HEIGHT - 1, -5), NEWER[1]], gives=(network(0.04, 1),), faults=1),
        poll(TIP, [answer({"height": 7}, 8), NEWER[1]], gives=(network(0.04, 1),), faults=1),
    ),
    refused=(
        poll(STARTING, cites=RPC),
        poll(answer(info(chain="test"), 1), NEWER, cites=MINING),
        poll(answer(info(difficulty=DIFFICULTY / 1_000), 1), NEWER, cites=MINING),
        poll(answer(info(bits="zz"), 1), NEWER, cites=MINING),
        poll(TIP, STARTING, cites=RPC),
        poll(TIP, [stats(HEIGHT - 1, 3_000_000)]),
        poll(TIP),
        Payload(feed="bitcoind", body=dumped(TIP), cites=RPC, receipt_time_us=AT),
        Payload(feed="bitcoind", body=b"Work queue depth exceeded", cites=RPC, receipt_time_us=AT),
    ),
    options=options,
    aggregates=True,
    keys={"BITCOIND_RPC_USER": USER, "BITCOIND_RPC_PASSWORD": PASSWORD},
    serve=serve,
)
