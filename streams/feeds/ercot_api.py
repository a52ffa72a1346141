"""ERCOT's public API: settlement point prices by the quarter hour and day ahead, a few points at a time.

Needs a subscription key and an account, whose name and password give a token for an hour. Rows are lists; the answer
says in what order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Literal
from urllib.parse import urlencode

from pydantic import Field

from models.records import HOUR_US, MINUTE_US, SECOND_US
from streams.errors import FeedError
from streams.feeds.contract import Appender, Options, Parsed, Source
from streams.feeds.ercot_prices import (
    CORRECTED,
    CORRECTION_TIME,
    DST,
    HOUR,
    INTERVAL,
    NODE,
    add_rows,
    corrected,
    keep,
    market,
)
from streams.feeds.http import Client, Request
from streams.feeds.local_time import CENTRAL, wall_of
from streams.feeds.power_polling import Rounds
from streams.feeds.power_reading import Every, Nodes, PowerOptions, Prices, Wanted, note_of, plain, with_nodes
from streams.feeds.reading import RAGGED, integer, json_of, obj, rows, text
from streams.fleetfile_errors import shown
from streams.now import now_us
from streams.wire import RawRecord

NAME = "ercot-api"
SPP, DAM = f"{NAME}:spp", f"{NAME}:dam"
SPP_CORRECTIONS, DAM_CORRECTIONS = f"{NAME}:spp-corrections", f"{NAME}:dam-corrections"
USER, PASSWORD, KEY = "ERCOT_API_USERNAME", "ERCOT_API_PASSWORD", "ERCOT_API_KEY"
CLIENT_ID = "fec253ea-0d06-4272-a5e6-b478baeecd70"
"""Of every user of the public API (https://developer.ercot.com/applications/pubapi/user-guide/registration-and-authentication/)."""

TOKEN_US = 55 * MINUTE_US
"""A token is valid for an hour and cannot be renewed; another is asked for a little earlier."""

PATHS = {
    SPP: "np6-905-cd/spp_node_zone_hub",
    DAM: "np4-190-cd/dam_stlmnt_pnt_prices",
    SPP_CORRECTIONS: "np4-197-m/rtm_price_corrections_spp",
    DAM_CORRECTIONS: "np4-196-m/dam_price_corrections_spp",
}
POINT = {SPP_CORRECTIONS: "settlementPointName"}
"""How a report calls its point among its parameters, where not ``settlementPoint``."""

MOST_NODES_OF_A_KEY = 20
PAGE, LARGE_PAGE = "1000", "3000"
"""Rows of an answer: 31 days of corrected quarter hours are 2,976."""

CORRECTED_DAYS = 30
"""Prices are final after two business days; the board may correct them for thirty days more (protocols, NPRR 474)."""


class ErcotApiOptions(PowerOptions):
    """Settings of ERCOT's public API."""

    nodes: Annotated[Nodes, Field(max_length=MOST_NODES_OF_A_KEY)] = ()
    url: Annotated[str, Field(description="The API.")] = "https://api.ercot.com/api/public-reports"
    login_url: Annotated[str, Field(description="Where a name and a password give a token.")] = (
        "https://ercotb2c.b2clogin.com/ercotb2c.onmicrosoft.com/B2C_1_PUBAPI-ROPC-FLOW/oauth2/v2.0/token"
    )
    every_s: Annotated[float, Field(ge=15, le=900, description="Pause between rounds [s].")] = 45
    pause_s: Annotated[
        float, Field(ge=0.1, le=60, description="Least time between requests [s]; 30 a minute are allowed.")
    ] = 2.1
    day_ahead: Annotated[bool, Field(description="Whether day-ahead prices are fetched.")] = True
    corrections: Annotated[bool, Field(description="Whether corrections of printed prices are fetched.")] = True


def _table(payload: bytes, required: tuple[tuple[str, ...], ...]) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Rows under the first plain name of each required field. FeedError where the answer is an error or not whole."""
    answer = obj(json_of(payload), "the answer")
    if "fields" not in answer:
        said = answer.get("message", answer.get("error_message", answer))
        raise FeedError(f"ERCOT says {shown(said)}")
    names = [plain(text(obj(entry, "a field"), "name")) for entry in rows(answer.get("fields"), "fields", 100)]
    for spellings in required:
        found = [place for place, name in enumerate(names) if name in spellings]
        if len(found) != 1:
            raise FeedError(f"fields {', '.join(names)} lack {spellings[0]} (or have it twice)")
        names[found[0]] = spellings[0]
    for place, values in enumerate(rows(answer.get("data"), "data")):
        cells = rows(values, f"row {place}", 100)
        row: dict[str, object] = dict(zip(names, cells, strict=False))
        if len(cells) != len(names):
            row = {RAGGED: f"{len(cells)} values, not {len(names)}"}
        yield f"row {place}", row
    meta = answer.get("_meta")
    if isinstance(meta, dict) and "totalPages" in meta and integer(meta, "totalPages") > 1:
        raise FeedError(f"the answer is a page of {integer(meta, 'totalPages')}: ask for less at a time")


def _parse(raw: RawRecord, kind: Literal["rt", "da"]) -> Parsed:
    """Prices of one answer."""
    prices = Prices(raw, market(NAME, kind), Wanted.of(raw.note))
    interval = (INTERVAL,) if kind == "rt" else ()
    columns = (("deliverydate",), HOUR, *interval, NODE, ("settlementpointprice",), DST)
    add_rows(prices, keep(prices, _table(raw.payload, columns)), "settlementpointprice")
    return prices.done()


def parse_spp(raw: RawRecord) -> Parsed:
    """Real-time prices by the quarter hour (NP6-905-CD)."""
    return _parse(raw, "rt")


def parse_dam(raw: RawRecord) -> Parsed:
    """Day-ahead prices by the hour (NP4-190-CD)."""
    return _parse(raw, "da")


def _parse_corrections(raw: RawRecord, kind: Literal["rt", "da"]) -> Parsed:
    """Corrected prices. A point that was not corrected is no fault."""
    prices = Prices(raw, market(NAME, kind), Wanted.of(raw.note))
    interval = (INTERVAL,) if kind == "rt" else ()
    columns = (("deliverydate",), HOUR, *interval, NODE, CORRECTED, CORRECTION_TIME, DST)
    add_rows(prices, corrected(prices, keep(prices, _table(raw.payload, columns))), CORRECTED[0])
    return prices.done(all_expected=False)


def parse_spp_corrections(raw: RawRecord) -> Parsed:
    """Corrected real-time prices (NP4-197-M)."""
    return _parse_corrections(raw, "rt")


def parse_dam_corrections(raw: RawRecord) -> Parsed:
    """Corrected day-ahead prices (NP4-196-M)."""
    return _parse_corrections(raw, "da")


PARSERS = {
    SPP: parse_spp,
    DAM: parse_dam,
    SPP_CORRECTIONS: parse_spp_corrections,
    DAM_CORRECTIONS: parse_dam_corrections,
}


class ErcotApiFeed(Rounds):
    """Asks for each point's prices of the last hours; a token first, which is never appended."""

    def __init__(self, options: ErcotApiOptions, keys: Mapping[str, str]) -> None:
        super().__init__(NAME, PARSERS, every_s=options.every_s, pause_s=options.pause_s)
        self._options = options
        self._keys = keys
        self._token = ""
        self._token_until_us = 0
        self._day_ahead = Every(10 * MINUTE_US)
        self._corrections = Every(HOUR_US)
        self._again: list[tuple[str, str]] = []

    async def go_round(self, client: Client, out: Appender) -> None:
        """Each point in real time; every ten minutes each day ahead; every hour its corrections, one in a round."""
        now = now_us()
        day_ahead = self._options.day_ahead and self._day_ahead.is_due(now)
        try:
            for feed in (SPP, DAM) if day_ahead else (SPP,):
                for node in self._options.nodes:
                    await self._ask(client, out, feed, node, now)
            if self._options.corrections and self._corrections.is_due(now):
                feeds = (SPP_CORRECTIONS, DAM_CORRECTIONS) if self._options.day_ahead else (SPP_CORRECTIONS,)
                self._again = [(feed, node) for node in self._options.nodes for feed in feeds]
            elif self._again:
                await self._ask(client, out, *self._again.pop(0), now)
        except FeedError as fault:
            if not fault.retriable:
                self._token_until_us = 0  # it may have been the token
            self._day_ahead.again()
            raise

    async def _ask(self, client: Client, out: Appender, feed: str, node: str, now: int) -> None:
        """Prices of one point: of today and, an hour after midnight still, of yesterday; day ahead also of tomorrow.

        Corrections of the last thirty days.
        """
        large = feed in {SPP_CORRECTIONS, DAM_CORRECTIONS}
        since = wall_of(now - 3_600 * SECOND_US, CENTRAL).date() - timedelta(days=CORRECTED_DAYS if large else 0)
        until = wall_of(now, CENTRAL).date() + timedelta(days=1 if feed in {DAM, DAM_CORRECTIONS} else 0)
        query = {
            "deliveryDateFrom": since.isoformat(),
            "deliveryDateTo": until.isoformat(),
            POINT.get(feed, "settlementPoint"): node,
            "page": "1",
            "size": LARGE_PAGE if large else PAGE,
        }
        headers = {
            "Ocp-Apim-Subscription-Key": self._keys[KEY],
            "Authorization": f"Bearer {await self._fresh_token(client)}",
        }
        request = Request(feed=feed, url=f"{self._options.url}/{PATHS[feed]}", headers=headers, query=query)
        answer = await client.fetch(request)
        record = RawRecord(feed, answer.receipt_time_us, "", 0, answer.body, note=note_of((node,)))
        await self.keep(out, f"{PATHS[feed]} of {node}", record)

    async def _fresh_token(self, client: Client) -> str:
        """The token, asked for anew when it is about to end. FeedError says what to check."""
        if now_us() < self._token_until_us:
            return self._token
        form = {
            "grant_type": "password",
            "username": self._keys[USER],
            "password": self._keys[PASSWORD],
            "client_id": CLIENT_ID,
            "scope": f"openid {CLIENT_ID} offline_access",
            "response_type": "id_token",
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        body = urlencode(form).encode()
        answer = await client.fetch(
            Request(feed=NAME, url=self._options.login_url, method="POST", headers=headers, body=body)
        )
        try:
            self._token = text(obj(json_of(answer.body), "the answer"), "id_token")
        except FeedError as fault:
            raise FeedError(f"asked for a token: {fault}; check {USER} and {PASSWORD}", retriable=True) from fault
        self._token_until_us = answer.receipt_time_us + TOKEN_US
        return self._token


def _build(options: Options, keys: Mapping[str, str]) -> ErcotApiFeed:
    """The feed, of settlement points that must be named."""
    found = with_nodes(NAME, options, ErcotApiOptions)
    return ErcotApiFeed(found, keys)


SOURCE = Source(
    name=NAME,
    kind="power",
    options=ErcotApiOptions,
    parsers=PARSERS,
    build=_build,
    keys=(USER, PASSWORD, KEY),
    documentation=(
        "https://developer.ercot.com/applications/pubapi/user-guide/registration-and-authentication/",
        "https://developer.ercot.com/applications/pubapi/user-guide/using-api/",
        "https://developer.ercot.com/applications/pubapi/known-limits/",
        "https://github.com/ercot/api-specs/blob/main/pubapi/pubapi-apim-api.json",
    ),
    etiquette="30 requests a minute: one in 2.1 s; addresses outside the United States are refused",
    unconfirmed=(
        "Whether the API prints DSTFlag as true and false or Y and N: both are read",
        "Columns of the corrections, taken from their parameters: no answer is at hand",
    ),
    defaults_on=False,
)
