"""Payloads that others recorded or published, and what comes of each: observations, nothing, or a refusal.

The files lie outside the project, in the folder that CHANGEOVER_DATA names; here is what the tests count and the page
of sources shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import orjson

AS_IS, IN_ZIP = "as it is", "in a zip"


@dataclass(frozen=True, slots=True)
class Recorded:
    """One payload in the envelope that its feed would give it.

    ``parsed``: observations in it. ``rows``: rows of it that are refused; ``because``: words of their refusal, or of
    that of the whole where no rows are counted.
    """

    parser: str
    parsed: int = 0
    rows: int = 0
    because: str = ""
    note: str = ""
    envelope: str = AS_IS

    @property
    def is_refused_whole(self) -> bool:
        """Whether nothing of it is read."""
        return bool(self.because) and not self.rows


def searched(name: str, limit: int = 500) -> str:
    """The note of a search of Vast."""
    return orjson.dumps({"gpu_name": name, "limit": limit}).decode()


FILES: Mapping[str, Recorded] = {
    "mempool/tx01_ws_blocks_01.json": Recorded("mempool:ws", 1),
    "mempool/tx01_ws_mempool_blocks_01.json": Recorded("mempool:ws"),
    "mempool/tx02_ws_block.json": Recorded("mempool:ws", 1),
    "mempool/tx02_ws_block_confirmation.json": Recorded("mempool:ws", 1),
    "mempool/tx02_ws_mempool_blocks_01.json": Recorded("mempool:ws"),
    "mempool/mainnet_live2hchart.json": Recorded("mempool:ws"),
    "mempool/mainnet_mempoolInfo.json": Recorded("mempool:ws", 1),
    "mempool/api_mining_pools_1w.json": Recorded("mempool:ws", because="no key of the message is known"),
    "hashprice/luxor_hashprice_current_docs.json": Recorded("luxor", because="priceUSD", note="hashunit=PHS"),
    "hashprice/luxor_hashprice_docs.json": Recorded("luxor", because="data", note="hashunit=PHS"),
    "hashprice/bitcoind_getmininginfo_2026-02.json": Recorded("bitcoind", because="not a list"),
    "gpu/vast_docs_sample.json": Recorded(
        "vast", rows=2, because="too few offers for a median", note=searched("RTX 4090")
    ),
    "gpu/vast_bundles_offer_2024-07.json": Recorded(
        "vast", rows=1, because="too few offers for a median", note=searched("RTX 4090")
    ),
    "gpu/runpod_graphql_gpuTypes_2026-08-20.json": Recorded("runpod:graphql"),
    "gpu/runpod_v2_catalog_gpus_2026-08-20.json": Recorded("runpod:catalog", 6),
    "gpu/lambda_instance_types_docs.json": Recorded("lambda-cloud"),
    "gpu/akash_gpu_prices_test_2026-07.json": Recorded("akash", 1),
    "gpu/ornn_daily_index_simple.json": Recorded("ornn", 1),
    "gpu/sfcompute_orderbook_quote.json": Recorded("sf-compute", 1, note="H100"),
    "power/caiso_oasis_PRC_LMP_DAM.csv": Recorded("caiso:da", 1, envelope=IN_ZIP),
    "power/ercot_cdr_12301_spp.csv": Recorded("ercot-mis:spp", 1, envelope=IN_ZIP),
    "power/miso_GetRealTimeFiveMinExPost.json": Recorded("miso", 1),
    "power/pjm_rt_fivemin_hrl_lmps_item.json": Recorded("pjm:verified", 1),
}

Outcomes = Mapping[str, int]
"""``parsed``, ``ignored``, or ``refused: <first words of the reason, figures as #>`` -> frames."""

RECORDINGS: Mapping[str, tuple[str, Outcomes]] = {
    "COINBASE.ws.28.0": ("coinbase-exchange", {"ignored": 9_946}),
    "BINANCE.ws.1.0": ("binance", {"ignored": 265}),
    "KRAKEN.ws.48.0": ("kraken", {"refused: channel is": 41, "refused: the message": 8}),  # the API before v2
}
"""Recordings of cryptofeed, all of other pairs than ours."""

RENAMED: Outcomes = {"ignored": 9_839, "refused: usd_per_btc #": 107}
"""The recording of Coinbase with its pairs named as ours: the prices are no bitcoin's."""

SAMPLES: Mapping[str, Outcomes] = {
    "coinbase": {"ignored": 4},  # its ticker is a snapshot
    "kraken": {"parsed": 1, "ignored": 3},
    "binance": {"ignored": 2, "refused: event_time_us #": 1},  # a time that the documentation made up
}
"""Documented samples of nautilus_trader, by venue."""

MESSAGES: Mapping[str, Outcomes] = {
    "kraken-v2": {"ignored": 2},
    "binance": {"ignored": 3},
    "bitstamp": {"ignored": 1, "refused: bitstamp says:": 1},
}
"""Documented messages that a venue sends."""

DOCUMENTED = {"coinbase": "coinbase", "kraken-v2": "kraken", "binance": "binance", "bitstamp": "bitstamp"}
"""Venue of a documented message -> source."""


def lines() -> Iterator[str]:
    """A table of what comes of each: observations, and payloads, frames or rows ignored and refused."""
    yield "| payload | read by | parsed | ignored | refused | refused because |"
    yield "|---|---|---|---|---|---|"
    for name, (source, found) in RECORDINGS.items():
        yield line_of(f"`cryptofeed/{name}`, recorded frames", source, found)
    yield line_of("`cryptofeed/COINBASE.ws.28.0`, its pairs named as ours", "coinbase-exchange", RENAMED)
    for name, found in SAMPLES.items():
        yield line_of(f"`nautilus/{name}_*.json`, documented frames", name, found)
    for name, found in MESSAGES.items():
        yield line_of(f"`btc-docs/messages.jsonl`, frames of {name}", DOCUMENTED[name], found)
    for name, each in FILES.items():
        refused = each.rows + each.is_refused_whole
        ignored = not each.parsed and not refused
        yield f"| `{name}` | `{each.parser}` | {each.parsed} | {ignored:d} | {refused} | {each.because} |"


def line_of(what: str, source: str, found: Outcomes) -> str:
    """One line of a file of frames."""
    refused = {words.removeprefix("refused: "): count for words, count in found.items() if words.startswith("refused")}
    why = "; ".join(f"{words} ({count})" for words, count in refused.items())
    counts = (found.get("parsed", 0), found.get("ignored", 0), sum(refused.values()))
    return f"| {what} | `{source}` | " + " | ".join(f"{count:,}" for count in counts) + f" | {why} |"
