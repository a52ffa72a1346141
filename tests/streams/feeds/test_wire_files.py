"""Every recorded or documented file of other hands, through the parsers as they run live: parsed, ignored or refused.

Websocket frames of the venues are replayed through real sockets in ``test_recordings.py``; here is the rest, in the
envelope its feed would give it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from streams.errors import ChangeoverError
from streams.feeds.sources import SOURCES
from streams.wire import RawRecord
from tests.support.power import zipped

PARSERS = {name: parse for source in SOURCES for name, parse in source.parsers.items()}
AT_US = 1_790_000_000_000_000
SOCKETS = ("btc-docs", "cryptofeed", "nautilus")

Wrap = Callable[[bytes], bytes]


def as_is(body: bytes) -> bytes:
    return body


def in_zip(body: bytes) -> bytes:
    return zipped({"a.csv": body.decode()})


def searched(name: str, limit: int = 500) -> str:
    return orjson.dumps({"gpu_name": name, "limit": limit}).decode()


TABLE: dict[str, tuple[str, Wrap, str, int, int, str]] = {
    # file: parser, envelope, note, parsed records, refused rows, why the whole is refused
    "mempool/tx01_ws_blocks_01.json": ("mempool:ws", as_is, "", 1, 0, ""),
    "mempool/tx01_ws_mempool_blocks_01.json": ("mempool:ws", as_is, "", 0, 0, ""),
    "mempool/tx02_ws_block.json": ("mempool:ws", as_is, "", 1, 0, ""),
    "mempool/tx02_ws_block_confirmation.json": ("mempool:ws", as_is, "", 1, 0, ""),
    "mempool/tx02_ws_mempool_blocks_01.json": ("mempool:ws", as_is, "", 0, 0, ""),
    "mempool/mainnet_live2hchart.json": ("mempool:ws", as_is, "", 0, 0, ""),
    "mempool/mainnet_mempoolInfo.json": ("mempool:ws", as_is, "", 1, 0, ""),
    "mempool/api_mining_pools_1w.json": ("mempool:ws", as_is, "", 0, 0, "no key of the message is known"),
    "hashprice/luxor_hashprice_current_docs.json": ("luxor", as_is, "hashunit=PHS", 0, 0, "priceUSD"),
    "hashprice/luxor_hashprice_docs.json": ("luxor", as_is, "hashunit=PHS", 0, 0, "data"),
    "hashprice/bitcoind_getmininginfo_2026-02.json": ("bitcoind", as_is, "", 0, 0, "not a list"),
    "gpu/vast_docs_sample.json": ("vast", as_is, searched("RTX 4090"), 0, 2, ""),
    "gpu/vast_bundles_offer_2024-07.json": ("vast", as_is, searched("RTX 4090"), 0, 1, ""),
    "gpu/runpod_graphql_gpuTypes_2026-08-20.json": ("runpod:graphql", as_is, "", 0, 0, ""),
    "gpu/runpod_v2_catalog_gpus_2026-08-20.json": ("runpod:catalog", as_is, "", 6, 0, ""),
    "gpu/lambda_instance_types_docs.json": ("lambda-cloud", as_is, "", 0, 0, ""),
    "gpu/akash_gpu_prices_test_2026-07.json": ("akash", as_is, "", 1, 0, ""),
    "gpu/ornn_daily_index_simple.json": ("ornn", as_is, "", 1, 0, ""),
    "gpu/sfcompute_orderbook_quote.json": ("sf-compute", as_is, "H100", 1, 0, ""),
    "power/caiso_oasis_PRC_LMP_DAM.csv": ("caiso:da", in_zip, "", 1, 0, ""),
    "power/ercot_cdr_12301_spp.csv": ("ercot-mis:spp", in_zip, "", 1, 0, ""),
    "power/miso_GetRealTimeFiveMinExPost.json": ("miso", as_is, "", 1, 0, ""),
    "power/pjm_rt_fivemin_hrl_lmps_item.json": ("pjm:verified", as_is, "", 1, 0, ""),
}


@pytest.fixture(scope="module")
def wire(history_dir: Path) -> Path:
    """The folder of recorded payloads."""
    return history_dir / "wire"


@pytest.mark.listed
def test_no_file_of_the_folder_is_left_out(wire: Path) -> None:
    found = {file.relative_to(wire).as_posix() for file in wire.rglob("*") if file.is_file()}
    assert {file for file in found if not file.startswith(SOCKETS)} == set(TABLE)


@pytest.mark.listed
@pytest.mark.parametrize("file", TABLE)
def test_a_recorded_file_gives_as_many_records_as_it_holds(wire: Path, file: str) -> None:
    feed, wrap, note, parsed, faults, refused = TABLE[file]
    raw = RawRecord(feed, AT_US, "test", 1, wrap((wire / file).read_bytes()), note=note)
    if refused:
        with pytest.raises((ChangeoverError, ValueError), match=refused):
            PARSERS[feed](raw)
        return
    found = PARSERS[feed](raw)
    assert (len(found.records), len(found.faults)) == (parsed, faults), found.faults
