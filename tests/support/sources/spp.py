"""SPP's files as clients read them: GMT interval ends, a header spelled in more than one way."""

from __future__ import annotations

import re
from datetime import UTC, date, timedelta

from aiohttp import web

from models.records import HOUR_US, PowerPrice
from streams.feeds.contract import Options
from streams.feeds.local_time import CENTRAL, midnight_us, wall_of
from streams.feeds.power_reading import note_of
from streams.feeds.spp import SppOptions
from streams.now import now_us
from tests.support.power import at, csv_of, da, moment, rt
from tests.support.sources_contract import Case, Payload

REAL = "a real print: 2022-12-27 SPPNORTH_HUB -32.8155, SPPSOUTH_HUB 16.9609"
DAILY = "github.com/gridstatus/gridstatus spp.py: GMT Interval, Settlement Location Name, PNODE Name"
BALANCING = "https://portal.spp.org/pages/rtbm-lmp-by-location: files of 2026 have the column BAA"
DAY_FILE = (
    "https://portal.spp.org/pages/da-lmp-by-settlement-location: DA-LMP-SL-YYYYMMDD0100.csv by day, as read by "
    "https://github.com/gridstatus/gridstatus/blob/main/gridstatus/spp.py; files of 2026 have the column BAA"
)
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


DAY_HEADER = "Interval,GMTIntervalEnd,BAA,Settlement Location,Pnode,LMP,MLC,MCC,MEC"
SNAKES = "INTERVAL,GMTINTERVALEND,BAA,SETTLEMENT_LOCATION,PNODE,LMP,MLC,MCC,MEC"
SUMMER, SPRING, AUTUMN = date(2026, 7, 28), date(2026, 3, 8), date(2026, 11, 1)


def hours_of(day: date) -> list[int]:
    """The ends of a Central day's hours [us UTC]."""
    start_us, end_us = midnight_us(day, CENTRAL), midnight_us(day + timedelta(days=1), CENTRAL)
    return list(range(start_us + HOUR_US, end_us + 1, HOUR_US))


def day_row(end_us: int, name: str, price: float) -> str:
    """A row of a day-ahead file: the hour's end on Central clocks and in GMT."""
    local, gmt = (wall_of(end_us, zone).strftime("%m/%d/%Y %H:%M:%S") for zone in (CENTRAL, UTC))
    return f"{local},{gmt},SPP,{name},{name[:6]},{price},-0.52,-1.31,{price + 1.83:.2f}"


def day_of(day: date, header: str = DAY_HEADER) -> bytes:
    """The file of a day: by the hour 20.25, 21.25 and so on, the first hour negative; and another location."""
    ends = list(enumerate(hours_of(day)))
    rows = [day_row(end_us, NORTH, hour + 20.25 if hour else -12.5) for hour, end_us in ends]
    return file(*[day_row(end_us, "AEC", 3.5) for _, end_us in ends], *rows, header=header)


def day_prices(day: date, received_us: int) -> tuple[PowerPrice, ...]:
    """What the file of a day gives."""
    return tuple(
        da("spp", f"SPP:{NORTH}", moment(end_us - HOUR_US), hour + 20.25 if hour else -12.5, received_us)
        for hour, end_us in enumerate(hours_of(day))
    )


ODD_HOUR = file(
    day_row(hours_of(SUMMER)[0], NORTH, 20.25),
    day_row(hours_of(SUMMER)[1], NORTH, 21.25).replace("07:00:00,SPP", "07:05:00,SPP"),
    day_row(hours_of(SUMMER)[0], NORTH, 22.5),
    day_row(hours_of(SPRING)[0], NORTH, 23.5),
    header=DAY_HEADER,
)


def day_payload(day: date, body: bytes, cites: str = DAY_FILE, **more: object) -> Payload:
    """A day-ahead file, received the day before at 14:05 Central."""
    received_us = midnight_us(day, CENTRAL) - 10 * HOUR_US + HOUR_US // 12
    note = note_of((NORTH,), day=day.isoformat())
    usual = {"feed": "spp:da", "receipt_time_us": received_us, "note": note, "gives": day_prices(day, received_us)}
    return payload(body, cites, **(usual | more))


def payload(body: bytes, cites: str = REAL, **more: object) -> Payload:
    """A payload of the file."""
    usual = {"feed": "spp", "body": body, "cites": cites, "receipt_time_us": RECEIVED_US, "note": note_of((NORTH,))}
    return Payload(**(usual | more))  # type: ignore[arg-type]  # a table of cases names the rest


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
    day_payload(SUMMER, day_of(SUMMER)),
    day_payload(SPRING, day_of(SPRING), "23 hours: no hour ends at 03:00 Central"),
    day_payload(AUTUMN, day_of(AUTUMN, SNAKES), "25 hours: two end at 02:00 Central; columns as in June 2026"),
    day_payload(
        SUMMER,
        ODD_HOUR,
        "an hour of five minutes, one printed twice, one of another day",
        gives=(da("spp", f"SPP:{NORTH}", "2026-07-28T05:00Z", 20.25, at("2026-07-27T14:05-05:00")),),
        faults=3,
    ),
)
REFUSED = (
    payload(b""),
    payload(b"<!DOCTYPE html><html><head><title>SPP Portal</title></head></html>", "the portal's own page, 200"),
    payload(file(header="Interval,GMTIntervalEnd,Settlement Location,Pnode,MLC,MCC,MEC")),
)


def serve(request: web.Request) -> web.Response:
    """Answers as portal.spp.org does: no body with its 404, which the day-ahead file of tomorrow gets too."""
    if request.path == "/file-browser-api/download/da-lmp-by-settlement-location":
        path = request.query.get("path", "")
        asked = re.fullmatch(r"/(\d{4})/(\d\d)/By_Day/DA-LMP-SL-\1\2(\d\d)0100\.csv", path)
        day = date(*map(int, asked.groups())) if asked else date.max
        if day > wall_of(now_us(), CENTRAL).date():
            return web.Response(status=404)
        return web.Response(body=day_of(day), content_type="text/csv")
    known = request.path == "/file-browser-api/download/rtbm-lmp-by-location"
    if not known or request.query.get("path") != "/RTBM-LMP-SL-latestInterval.csv":
        return web.Response(status=404)
    return web.Response(body=LATEST, content_type="text/csv")


def options(base_url: str) -> Options:
    """Options of a source that asks the local server."""
    downloads = f"{base_url}/file-browser-api/download"
    return SppOptions(
        nodes=(NORTH,),
        url=f"{downloads}/rtbm-lmp-by-location",
        day_ahead_url=f"{downloads}/da-lmp-by-settlement-location",
        every_s=30,
        pause_s=0.1,
    )


CASE = Case(source="spp", payloads=PAYLOADS, refused=REFUSED, options=options, serve=serve)
