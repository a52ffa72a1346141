"""NYISO's public files as recorded: stamps that end (real time) or begin (day ahead), congestion sign reversed."""

from __future__ import annotations

from aiohttp import web

from models.records import PowerPrice
from streams.feeds.contract import Options
from streams.feeds.nyiso import NyisoOptions
from streams.feeds.power_reading import note_of
from tests.support.power import at, csv_of, da, rt
from tests.support.sources_contract import Case, Payload

DOCUMENTED = "https://github.com/api-evangelist/nyiso/blob/main/json-schema/nyiso-realtime-zone-schema.json"
SIGN = "github.com/gridstatus/gridstatus nyiso.py: LBMP = energy + losses - congestion"
LOOK_AHEAD = "github.com/WattTime/pyiso nyiso.py: rows of the look-ahead run stand in the same file"
REPEATED = "the repeated hour: stamps 01:00 to 01:55 twice, told apart by their order"

HEADER = (
    '"Time Stamp","Name","PTID","LBMP ($/MWHr)","Marginal Cost Losses ($/MWHr)","Marginal Cost Congestion ($/MWHr)"'
)
RECEIVED_US = at("2025-07-30T00:12-04:00")
NOVEMBER_US = at("2024-11-03T12:00-05:00")
MARCH_US = at("2025-03-09T12:00-04:00")


def row(stamp: str, name: str, lbmp: str, losses: str = "0.00", congestion: str = "0.00") -> str:
    """A row of a file."""
    return f'"{stamp}","{name}",61757,{lbmp},{losses},{congestion}'


def file(*rows: str) -> bytes:
    """A file of prices."""
    return csv_of(HEADER, *rows).encode()


def payload(
    kind: str,
    body: bytes,
    cites: str = DOCUMENTED,
    *,
    node: str = "CAPITL",
    received_us: int = RECEIVED_US,
    gives: tuple[PowerPrice, ...] = (),
    faults: int = 0,
) -> Payload:
    """A payload of one kind of file."""
    return Payload(
        feed=f"nyiso:{kind}",
        body=body,
        cites=cites,
        receipt_time_us=received_us,
        note=note_of((node,)),
        gives=gives,
        faults=faults,
    )


def capitl(start: str, price: float, received_us: int = RECEIVED_US, **more: int) -> PowerPrice:
    """A real-time price of the zone CAPITL."""
    return rt("nyiso", "NYISO:CAPITL", start, price, received_us, **more)  # type: ignore[arg-type]  # minutes, seconds


REAL_TIME = file(
    row("07/30/2025 00:05:00", "CAPITL", "23.31", "1.29", "-7.50"),
    row("07/30/2025 00:05:00", "CENTRL", "15.03", "0.51"),
    row("07/30/2025 00:05:00", "MHK VL", "15.10", "0.58"),
    row("07/30/2025 00:05:00", "H Q", "11.00", "-0.20", "3.00"),
    row("07/30/2025 00:07:30", "CAPITL", "-23.31", "1.29", "39.12"),
    row("07/30/2025 00:10:00", "CAPITL", "30.00"),
    row("07/30/2025 00:15:00", "CAPITL", "31.00"),
    row("07/30/2025 00:30:00", "CAPITL", "99.00"),
    row("07/30/2025 00:45:00", "CAPITL", "99.00"),
)
IMPOSSIBLE = file(
    row("07/30/2025 00:05:00", "CAPITL", "23.31", "1.29", "7.50"),
    row("07/30/2025 00:05:00", "CENTRL", "15.03", "0.51"),
    row("07/30/2025 00:05:00", "MHK VL", "15.10", "0.58"),
    row("07/30/2025 00:10:00", "CAPITL", "30.00"),
    row("07/30/2025 00:10:00", "CENTRL", ""),
)
FALL = file(
    row("11/03/2024 00:55:00", "CAPITL", "20.55"),
    row("11/03/2024 01:00:00", "CAPITL", "21.00"),
    row("11/03/2024 01:55:00", "CAPITL", "21.55"),
    row("11/03/2024 01:00:00", "CAPITL", "22.00"),
    row("11/03/2024 01:05:00", "CAPITL", "22.05"),
    row("11/03/2024 02:00:00", "CAPITL", "23.00"),
)
AHEAD = file(
    row("07/30/2025 00:00", "CAPITL", "58.12", "1.53"),
    row("07/30/2025 01:00", "CAPITL", "52.00", "1.10"),
    row("07/30/2025 01:00", "N.Y.C.", "53.00", "2.10"),
)
FALL_AHEAD = file(*(row(f"11/03/2024 0{hour}:00", "CAPITL", f"4{n}.00") for n, hour in enumerate((0, 1, 1, 2))))
SPRING_AHEAD = file(*(row(f"03/09/2025 0{hour}:00", "CAPITL", f"4{hour}.00") for hour in (1, 2, 3)))

PAYLOADS = (
    payload(
        "rt",
        REAL_TIME,
        LOOK_AHEAD,
        gives=(
            capitl("2025-07-30T04:00Z", 23.31),
            capitl("2025-07-30T04:05Z", -23.31, minutes=2, seconds=30),
            capitl("2025-07-30T04:07:30Z", 30.0, minutes=2, seconds=30),
            capitl("2025-07-30T04:10Z", 31.0),
        ),
    ),
    payload(
        "rt", REAL_TIME, node="MHK VL", gives=(rt("nyiso", "NYISO:MHK VL", "2025-07-30T04:00Z", 15.10, RECEIVED_US),)
    ),
    payload("rt", IMPOSSIBLE, SIGN, gives=(capitl("2025-07-30T04:05Z", 30.0),), faults=1),
    payload(
        "rt",
        FALL,
        REPEATED,
        received_us=NOVEMBER_US,
        gives=(
            capitl("2024-11-03T04:50Z", 20.55, NOVEMBER_US),
            capitl("2024-11-03T04:55Z", 21.00, NOVEMBER_US),
            capitl("2024-11-03T05:50Z", 21.55, NOVEMBER_US),
            capitl("2024-11-03T05:55Z", 22.00, NOVEMBER_US),
            capitl("2024-11-03T06:00Z", 22.05, NOVEMBER_US),
            capitl("2024-11-03T06:55Z", 23.00, NOVEMBER_US),
        ),
    ),
    payload(
        "da",
        AHEAD,
        gives=(
            da("nyiso", "NYISO:CAPITL", "2025-07-30T04:00Z", 58.12, RECEIVED_US),
            da("nyiso", "NYISO:CAPITL", "2025-07-30T05:00Z", 52.0, RECEIVED_US),
        ),
    ),
    payload(
        "da",
        FALL_AHEAD,
        REPEATED,
        received_us=NOVEMBER_US,
        gives=tuple(da("nyiso", "NYISO:CAPITL", f"2024-11-03T0{4 + n}:00Z", 40.0 + n, NOVEMBER_US) for n in range(4)),
    ),
    payload(
        "da",
        SPRING_AHEAD,
        "a row inside the missing hour",
        received_us=MARCH_US,
        faults=1,
        gives=(
            da("nyiso", "NYISO:CAPITL", "2025-03-09T06:00Z", 41.0, MARCH_US),
            da("nyiso", "NYISO:CAPITL", "2025-03-09T07:00Z", 43.0, MARCH_US),
        ),
    ),
    payload("rt", file(row("07/30/2025 00:05:00", "CENTRL", "15.03")), "a zone that the file has not", faults=1),
)
REFUSED = (
    payload("rt", b"<!DOCTYPE HTML><html><head><title>404 Not Found</title></head></html>"),
    payload(
        "rt", csv_of('"Time Stamp","Time Zone","Name","PTID","Load"').encode(), "another report of the same folder"
    ),
)


def serve(request: web.Request) -> web.Response:
    """Answers as mis.nyiso.com does, for any day."""
    folder, _, name = request.path.removeprefix("/public/csv/").partition("/")
    bodies = {("realtime", "realtime_zone.csv"): REAL_TIME, ("damlbmp", "damlbmp_zone.csv"): AHEAD}
    if not name[:8].isdigit() or (folder, name[8:]) not in bodies:
        return web.Response(status=404, text="<!DOCTYPE HTML><html>404 Not Found</html>", content_type="text/html")
    return web.Response(body=bodies[folder, name[8:]], content_type="text/csv")


def options(base_url: str) -> Options:
    """Options of a source that asks the local server."""
    return NyisoOptions(nodes=("CAPITL",), url=f"{base_url}/public/csv", every_s=15, pause_s=0.1)


CASE = Case(source="nyiso", payloads=PAYLOADS, refused=REFUSED, options=options, serve=serve)
