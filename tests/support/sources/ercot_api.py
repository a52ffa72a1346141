"""ERCOT's public API as documented: a token by name and password, then rows as lists in the order of ``fields``."""

from __future__ import annotations

import orjson
from aiohttp import web

from models.records import PowerPrice
from streams.feeds.contract import Options
from streams.feeds.ercot_api import ErcotApiOptions
from streams.feeds.power_reading import note_of
from tests.support.power import at, da, rt
from tests.support.sources_contract import Case, Payload

DOCUMENTED = "https://github.com/ercot/api-specs/blob/main/pubapi/pubapi-apim-api.json"
LIMITS = "https://developer.ercot.com/applications/pubapi/known-limits/"
RECEIVED_US = at("2025-07-30T08:47:30-05:00")
NOVEMBER_US = at("2024-11-03T12:00-06:00")
SERIES = "ERCOT:HB_SOUTH"
GRANTED = "of-an-hour"
KEYS = {
    "ERCOT_API_USERNAME": "me@example.com",
    "ERCOT_API_PASSWORD": "a password & more",
    "ERCOT_API_KEY": "subscription-key",
}

SPP_FIELDS = (
    "deliveryDate",
    "deliveryHour",
    "deliveryInterval",
    "settlementPoint",
    "settlementPointType",
    "settlementPointPrice",
    "DSTFlag",
)
CORRECTION_FIELDS = ("SPPOriginal", "SPPCorrected", "priceCorrectionTime", "DSTFlag")
SPP_CORRECTED = (*SPP_FIELDS[:3], "settlementPointName", "settlementPointType", *CORRECTION_FIELDS)
DAM_FIELDS = ("deliveryDate", "hourEnding", "settlementPoint", "settlementPointPrice", "DSTFlag")
DAM_CORRECTED = ("deliveryDate", "deliveryHour", "settlementPoint", *CORRECTION_FIELDS)


def answer(fields: tuple[str, ...], *rows: list[object], pages: int = 1) -> bytes:
    """A report's answer."""
    return orjson.dumps(
        {
            "_meta": {"totalRecords": len(rows), "pageSize": 1000, "totalPages": pages, "currentPage": 1},
            "report": {"reportEmilId": "np6-905-cd", "reportName": "Settlement Point Prices"},
            "fields": [
                {"name": name, "label": name, "dataType": "VARCHAR", "searchable": True, "hasRange": False}
                for name in fields
            ],
            "data": list(rows),
            "_links": {"self": {"href": "https://api.ercot.com/api/public-reports/np6-905-cd"}},
        }
    )


PRINTED = answer(
    SPP_FIELDS,
    ["2025-07-30", 9, 2, "HB_SOUTH", "HU", 4857.82, False],
    ["2025-07-30", 9, 3, "HB_SOUTH", "HU", -20.51, False],
)
FALL = answer(
    SPP_FIELDS,
    ["2024-11-03", 2, 4, "HB_SOUTH", "HU", 11, False],
    ["2024-11-03", 2, 4, "HB_SOUTH", "HU", 12.25, True],
)
FLAWED = answer(
    SPP_FIELDS,
    ["2025-07-30", 9, 1, "HB_SOUTH", "HU", None, False],
    ["2025-07-30", 9, 5, "HB_SOUTH", "HU", 20.1, False],
    ["2025-07-30", 9, 2, "HB_SOUTH", "HU", 20.2, "maybe"],
    ["2025-07-30", 9, 2, "HB_SOUTH", "HU", 90_000.5, False],
    ["2025-07-30", 9, 3],
    ["2025-07-30", 9, 3, "HB_SOUTH", "HU", "20.40", "N"],
)
AHEAD = answer(
    DAM_FIELDS,
    ["2025-07-31", "01:00", "HB_SOUTH", 24.05, False],
    ["2025-07-31", "24:00", "HB_SOUTH", 9052.53, False],
)
CORRECTED = answer(
    SPP_CORRECTED,
    ["2025-07-30", 9, 3, "HB_SOUTH", "HU", -20.51, -18.02, "2025-07-31T09:30:12", False],
    ["2025-07-30", 9, 4, "HB_SOUTH", "HU", 21.5, None, "2025-07-30T15:00:00", False],
    ["2025-07-30", 9, 4, "HB_SOUTH", "HU", 21.5, 22.5, "yesterday", False],
)
AHEAD_CORRECTED = answer(DAM_CORRECTED, ["2025-07-30", 9, "HB_SOUTH", 31.02, 30.99, "2025-07-30T10:00:00", False])
LATER_US = at("2025-08-01T00:00Z")
BAD_REQUEST = {
    "timestamp": "2025-07-30T13:47:30Z",
    "code": 400,
    "status": "BAD_REQUEST",
    "message": "Invalid parameter deliveryDateFrom",
    "data": None,
}


def printed(start: str, price: float, received_us: int = RECEIVED_US) -> PowerPrice:
    """A quarter hour's price of HB_SOUTH."""
    return rt("ercot-api", SERIES, start, price, received_us, minutes=15, lag_min=2)


def payload(
    feed: str,
    body: bytes,
    cites: str = DOCUMENTED,
    *,
    gives: tuple[PowerPrice, ...] = (),
    faults: int = 0,
    received_us: int = RECEIVED_US,
    node: str = "HB_SOUTH",
) -> Payload:
    """A payload of the API."""
    return Payload(
        feed=f"ercot-api:{feed}",
        body=body,
        cites=cites,
        receipt_time_us=received_us,
        note=note_of((node,)),
        gives=gives,
        faults=faults,
    )


PAYLOADS = (
    payload("spp", PRINTED, gives=(printed("2025-07-30T13:15Z", 4857.82), printed("2025-07-30T13:30Z", -20.51))),
    payload(
        "spp",
        FALL,
        gives=(
            printed("2024-11-03T06:45Z", 11.0, NOVEMBER_US),
            printed("2024-11-03T07:45Z", 12.25, NOVEMBER_US),
        ),
        received_us=NOVEMBER_US,
    ),
    payload("spp", FLAWED, gives=(printed("2025-07-30T13:30Z", 20.40),), faults=5),
    payload("spp", answer(SPP_FIELDS), node="HB_SUOTH", faults=1),
    payload(
        "dam",
        AHEAD,
        gives=(
            da("ercot-api", SERIES, "2025-07-31T05:00Z", 24.05, RECEIVED_US),
            da("ercot-api", SERIES, "2025-08-01T04:00Z", 9052.53, RECEIVED_US),
        ),
    ),
    payload(
        "spp-corrections",
        CORRECTED,
        gives=(
            rt(
                "ercot-api",
                SERIES,
                "2025-07-30T13:30Z",
                -18.02,
                LATER_US,
                minutes=15,
                lag_min=2,
                published="2025-07-31T09:30:12-05:00",
            ),
        ),
        faults=2,
        received_us=LATER_US,
    ),
    payload("spp-corrections", answer(SPP_CORRECTED), received_us=LATER_US),
    payload(
        "dam-corrections",
        AHEAD_CORRECTED,
        gives=(da("ercot-api", SERIES, "2025-07-30T13:00Z", 30.99, LATER_US, published="2025-07-30T10:00:00-05:00"),),
        received_us=LATER_US,
    ),
)
REFUSED = (
    payload("spp", orjson.dumps(BAD_REQUEST)),
    payload("spp", b'{"error_key": "throttled", "error_message": "Too Many Requests"}', LIMITS),
    payload("spp", answer(DAM_FIELDS, ["2025-07-30", "09:00", "HB_SOUTH", 20, False])),
)


def serve(request: web.Request) -> web.Response:
    """Answers as api.ercot.com does. The token's form is not read here: see the feed's own tests."""
    if request.path == "/token":
        if request.method != "POST":
            return web.Response(status=405)
        return web.json_response({"id_token": GRANTED, "token_type": "Bearer", "expires_in": "3600"})
    key, token = request.headers.get("Ocp-Apim-Subscription-Key"), request.headers.get("Authorization")
    if key != KEYS["ERCOT_API_KEY"] or token != f"Bearer {GRANTED}":
        return web.json_response({"statusCode": 401, "message": "Access denied due to invalid key"}, status=401)
    reports = {
        "/api/np6-905-cd/spp_node_zone_hub": PRINTED,
        "/api/np4-190-cd/dam_stlmnt_pnt_prices": AHEAD,
        "/api/np4-197-m/rtm_price_corrections_spp": CORRECTED,
        "/api/np4-196-m/dam_price_corrections_spp": AHEAD_CORRECTED,
    }
    if request.path not in reports:
        return web.json_response(BAD_REQUEST | {"code": 404}, status=404)
    point = "settlementPointName" if request.path.endswith("rtm_price_corrections_spp") else "settlementPoint"
    if request.query.get(point) != "HB_SOUTH" or "deliveryDateFrom" not in request.query:
        return web.json_response(BAD_REQUEST, status=400)
    return web.Response(body=reports[request.path], content_type="application/json")


def options(base_url: str) -> Options:
    """Options of a source that asks the local server."""
    return ErcotApiOptions(
        nodes=("HB_SOUTH",), url=f"{base_url}/api", login_url=f"{base_url}/token", every_s=15, pause_s=0.1
    )


CASE = Case(source="ercot-api", payloads=PAYLOADS, refused=REFUSED, options=options, keys=KEYS, serve=serve)
