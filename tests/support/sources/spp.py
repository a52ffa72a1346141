"""SPP's file of the latest interval as clients read it: GMT interval ends, a header spelled in more than one way."""

from __future__ import annotations

from aiohttp import web

from streams.feeds.contract import Options
from streams.feeds.power_reading import note_of
from streams.feeds.spp import SppOptions
from tests.support.power import at, csv_of, rt
from tests.support.sources_contract import Case, Payload

REAL = "a real print: 2022-12-27 SPPNORTH_HUB -32.8155, SPPSOUTH_HUB 16.9609"
DAILY = "github.com/gridstatus/gridstatus spp.py: GMT Interval, Settlement Location Name, PNODE Name"
BALANCING = "https://portal.spp.org/pages/rtbm-lmp-by-location: files of 2026 have the column BAA"
NORTH = "SPPNORTH_HUB"
HEADER = "Interval,GMTIntervalEnd,Settlement Location,Pnode,LMP,MLC,MCC,MEC"
RECEIVED_US = at("2022-12-27T14:06:30Z")


def row(name: str, price: str, end: str = "12/27/2022 14:05:00", more: str = "") -> str:
    """A row of a file; the local stamp is Central."""
    return f"12/27/2022 08:05:00,{end},{name},{name[:10]},{price},-0.4357,1.6213,23.8376{more}"


def file(*rows: str, header: str = HEADER) -> bytes:
    """A file of prices."""
    return csv_of(header, *rows).encode()


LATEST = file(row(NORTH, "-32.8155"), row("SPPSOUTH_HUB", "16.9609"))
SPELLED = file(
    row(NORTH, "-32.8155"), header="Interval, GMT Interval, Settlement Location Name, PNODE Name, LMP, MLC, MCC, MEC"
)
WITH_BAA = file(row(NORTH, "-32.8155", more=",SPP"), row("WEST_HUB", "20.5", more=",SWPW"), header=f"{HEADER},BAA")
FLAWED = file(
    row(NORTH, ""),
    row(NORTH, "1,032.81"),
    row(NORTH, "-32.8155", end="27.12.2022 14:05"),
    row(NORTH, "-32.8155", end="12/27/2022 14:00:00"),
    row(NORTH, "99000.5"),
)


def payload(body: bytes, cites: str = REAL, **more: object) -> Payload:
    """A payload of the file."""
    return Payload(
        feed="spp",
        body=body,
        cites=cites,
        receipt_time_us=RECEIVED_US,
        **({"note": note_of((NORTH,))} | more),  # type: ignore[arg-type]  # a table of cases names the rest
    )


PRINTED = rt("spp", f"SPP:{NORTH}", "2022-12-27T14:00Z", -32.8155, RECEIVED_US)
PAYLOADS = (
    payload(LATEST, gives=(PRINTED,)),
    payload(
        LATEST,
        "without a note every row is read",
        note="",
        gives=(PRINTED, rt("spp", "SPP:SPPSOUTH_HUB", "2022-12-27T14:00Z", 16.9609, RECEIVED_US)),
    ),
    payload(SPELLED, DAILY, gives=(PRINTED,)),
    payload(WITH_BAA, BALANCING, gives=(PRINTED,)),
    payload(FLAWED, gives=(rt("spp", f"SPP:{NORTH}", "2022-12-27T13:55Z", -32.8155, RECEIVED_US),), faults=4),
    payload(LATEST, "a location that the file has not", note=note_of((NORTH, "LES")), gives=(PRINTED,), faults=1),
)
REFUSED = (
    payload(b""),
    payload(b"<!DOCTYPE html><html><head><title>SPP Portal</title></head></html>", "the portal's own page, 200"),
    payload(file(header="Interval,GMTIntervalEnd,Settlement Location,Pnode,MLC,MCC,MEC")),
)


def serve(request: web.Request) -> web.Response:
    """Answers as portal.spp.org does: no body with its 404."""
    known = request.path == "/file-browser-api/download/rtbm-lmp-by-location"
    if not known or request.query.get("path") != "/RTBM-LMP-SL-latestInterval.csv":
        return web.Response(status=404)
    return web.Response(body=LATEST, content_type="text/csv")


def options(base_url: str) -> Options:
    """Options of a source that asks the local server."""
    return SppOptions(nodes=(NORTH,), url=f"{base_url}/file-browser-api/download/rtbm-lmp-by-location", every_s=30)


CASE = Case(source="spp", payloads=PAYLOADS, refused=REFUSED, options=options, serve=serve)
