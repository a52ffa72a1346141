"""PJM's Data Miner 2 as documented and recorded: rows with naive UTC times, versions of a row, pages of a query."""

from __future__ import annotations

import orjson
from aiohttp import web

from models.records import PowerPrice
from streams.feeds.contract import Options
from streams.feeds.http import joined
from streams.feeds.pjm import PjmOptions
from streams.feeds.power_reading import note_of
from tests.support.power import at, da, rt
from tests.support.sources_contract import Case, Payload

GUIDE = "https://www.pjm.com/-/media/DotCom/etools/data-miner-2/data-miner-2-api-guide.ashx"
RECORDED = "recorded 2024-02-20: a row of rt_fivemin_hrl_lmps"
SNAPSHOTS = "github.com/gridstatus/gridstatus pjm.py: one query served from two states of the data"
FRACTION = "github.com/gridstatus/gridstatus pjm.py: some reports print fractions of a second"
RECEIVED_US = at("2024-02-20T18:00Z")
KEYS = {"PJM_API_KEY": "subscription-key"}
SERIES = "PJM:PJM-RTO"


def item(
    start: str = "2024-02-20T05:00:00", node: int = 1, name: str = "PJM-RTO", **changes: object
) -> dict[str, object]:
    """A row of a real-time report; a field changed to ... is left out."""
    found: dict[str, object] = {
        "datetime_beginning_utc": start,
        "datetime_beginning_ept": "2024-02-20T00:00:00",
        "pnode_id": node,
        "pnode_name": name,
        "voltage": None,
        "equipment": None,
        "type": "ZONE",
        "zone": None,
        "total_lmp_rt": 17.956076,
        "congestion_price_rt": 0.005357,
        "marginal_loss_price_rt": 0.011552,
    }
    return {key: value for key, value in (found | changes).items() if value is not ...}


def verified(
    start: str = "2024-02-20T05:00:00", *, version: object = 1, current: object = True, **changes: object
) -> dict[str, object]:
    """A verified row."""
    more = {"system_energy_price_rt": 17.94, "row_is_current": current, "version_nbr": version}
    return item(start, **(more | changes))  # type: ignore[arg-type]  # a table of cases names the fields


def ahead(start: str, price: object, **changes: object) -> dict[str, object]:
    """A day-ahead row."""
    more = {"total_lmp_da": price, "total_lmp_rt": ..., "row_is_current": True, "version_nbr": 1}
    return item(start, **(more | changes))  # type: ignore[arg-type]  # a table of cases names the fields


def page(*items: dict[str, object], total: int | None = None) -> bytes:
    """A page of an answer."""
    links = [{"rel": "self", "href": "https://api.pjm.com/api/v1/rt_unverified_fivemin_lmps"}]
    return orjson.dumps({"links": links, "items": items, "totalRows": len(items) if total is None else total})


UNVERIFIED = page(item(), item("2024-02-20T05:05:00.0000000", total_lmp_rt=-3.5), item(node=5, name="OTHER"))
PAGES = joined([("rows from 1", page(item(), total=2)), ("rows from 2", page(item("2024-02-20T05:05:00"), total=2))])
TOTALS = joined([("rows from 1", page(item(), total=2)), ("rows from 2", page(item("2024-02-20T05:05:00"), total=3))])
TWICE = joined([("rows from 1", page(item(), total=2)), ("rows from 2", page(item(total_lmp_rt=18.0), total=2))])
VERSIONS = page(
    verified(version=1, current=False, total_lmp_rt=17.9),
    verified(version=2, total_lmp_rt=17.956076),
    verified("2024-02-20T05:05:00", version=1, total_lmp_rt=20),
    verified("2024-02-20T05:10:00", version=None),
    verified("2024-02-20T05:15:00", current="yes"),
)
AHEAD = page(ahead("2024-02-20T05:00:00", 21.5), ahead("2024-02-21T04:00:00", "22.75"))
NAMESAKES = page(item(), item(node=2))


def unverified(start: str, price: float, revision: int | None = None) -> PowerPrice:
    """A five-minute price of the node PJM-RTO."""
    return rt("pjm", SERIES, start, price, RECEIVED_US, revision=revision)


def payload(
    kind: str,
    body: bytes,
    cites: str = GUIDE,
    *,
    nodes: tuple[str, ...] = ("1",),
    gives: tuple[PowerPrice, ...] = (),
    faults: int = 0,
) -> Payload:
    """A payload of one report."""
    return Payload(
        feed=f"pjm:{kind}",
        body=body,
        cites=cites,
        receipt_time_us=RECEIVED_US,
        note=note_of(nodes),
        gives=gives,
        faults=faults,
    )


PAYLOADS = (
    payload(
        "unverified",
        UNVERIFIED,
        FRACTION,
        gives=(unverified("2024-02-20T05:00Z", 17.956076), unverified("2024-02-20T05:05Z", -3.5)),
    ),
    payload(
        "unverified",
        PAGES,
        gives=(unverified("2024-02-20T05:00Z", 17.956076), unverified("2024-02-20T05:05Z", 17.956076)),
    ),
    payload(
        "unverified",
        NAMESAKES,
        "two nodes of one name",
        nodes=("1", "2"),
        gives=(unverified("2024-02-20T05:00Z", 17.956076),),
        faults=1,
    ),
    payload("unverified", page(item(total_lmp_rt=None)), "a price that is null", faults=1),
    payload("unverified", page(), "a node that is not there, or nothing printed yet", faults=1),
    payload(
        "verified",
        VERSIONS,
        RECORDED,
        gives=(unverified("2024-02-20T05:00Z", 17.956076, 2), unverified("2024-02-20T05:05Z", 20.0, 1)),
        faults=2,
    ),
    payload(
        "da",
        AHEAD,
        gives=(
            da("pjm", SERIES, "2024-02-20T05:00Z", 21.5, RECEIVED_US, revision=1),
            da("pjm", SERIES, "2024-02-21T04:00Z", 22.75, RECEIVED_US, revision=1),
        ),
    ),
)
IGNORED = (payload("verified", page(), "nothing verified yet: it comes the next business day"),)
REFUSED = (
    payload("unverified", TOTALS, SNAPSHOTS),
    payload("unverified", TWICE, SNAPSHOTS),
    payload("da", b'{"errors":[{"field":"rowCount","message":"rowCount is required","detail":[]}]}'),
    payload("da", b'{"statusCode":401,"message":"Access denied due to invalid subscription key."}'),
)


def serve(request: web.Request) -> web.Response:
    """Answers as api.pjm.com does."""
    if request.headers.get("Ocp-Apim-Subscription-Key") != KEYS["PJM_API_KEY"]:
        body = {"statusCode": 401, "message": "Access denied due to invalid subscription key."}
        return web.json_response(body, status=401)
    bodies = {"rt_unverified_fivemin_lmps": UNVERIFIED, "rt_fivemin_hrl_lmps": VERSIONS, "da_hrl_lmps": AHEAD}
    report = request.path.removeprefix("/api/v1/")
    if report not in bodies:
        return web.json_response({"statusCode": 404, "message": "Resource not found"}, status=404)
    needed = ("rowCount", "startRow", "datetime_beginning_utc", "pnode_id")
    missing = [name for name in needed if name not in request.query]
    if missing:
        errors = [{"field": name, "message": f"{name} is required", "detail": []} for name in missing]
        return web.json_response({"errors": errors}, status=400)
    return web.Response(body=bodies[report], content_type="application/json")


def options(base_url: str) -> Options:
    """Options of a source that asks the local server."""
    return PjmOptions(nodes=("1",), url=f"{base_url}/api/v1", every_s=30, pause_s=0.1)


CASE = Case(source="pjm", payloads=PAYLOADS, ignored=IGNORED, refused=REFUSED, options=options, keys=KEYS, serve=serve)
