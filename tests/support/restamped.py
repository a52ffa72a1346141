"""Documented payloads with the present time in them: a live engine takes none that is years old."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from aiohttp import web

from tests.support.faulty_server import FaultySocket, Handler, Switch
from tests.support.sources import nyiso
from tests.support.sources_contract import Case

EASTERN = ZoneInfo("America/New_York")
FIVE = timedelta(minutes=5)
FRAME_EVERY_S = 0.1


class Zone:
    """NYISO's file of the day as of now: one price of CAPITL, of the last five minutes that ended but ``back``."""

    def __init__(self, usd_per_mwh: float, back: int = 0) -> None:
        self._rows: dict[str, str] = {}
        self.print(usd_per_mwh, back)

    def print(self, usd_per_mwh: float, back: int = 0) -> None:
        """The row of an interval, which a later one of the same interval replaces; stamps end their interval."""
        now = datetime.now(UTC)
        end = now.replace(minute=now.minute // 5 * 5, second=0, microsecond=0) - back * FIVE
        stamp = end.astimezone(EASTERN).strftime("%m/%d/%Y %H:%M:%S")
        self._rows[stamp] = nyiso.row(stamp, "CAPITL", f"{usd_per_mwh:.2f}")

    def serve(self, request: web.Request) -> web.Response:
        """The documented server with this file as that of every day."""
        answer = nyiso.serve(request)
        if answer.status == 200 and "realtime" in request.path:
            return web.Response(body=nyiso.file(*self._rows.values()), content_type="text/csv")
        return answer


class PacedSocket(FaultySocket):
    """The server's end of a websocket at the pace of a busy venue: the fakes tick a hundred times a second."""

    async def send_str(self, data: str, compress: int | None = None) -> None:
        """Send a frame; a muted end notices, too, when the client has gone."""
        if self.mute:
            await asyncio.sleep(FRAME_EVERY_S)
            if self._req is None or self._req.transport is None or self._req.transport.is_closing():
                raise ConnectionResetError("the client has gone")
        await super().send_str(data, compress)

    async def send_truly(self, data: str, compress: int | None = None) -> None:
        """Send a frame, then wait."""
        await super().send_truly(data, compress)
        await asyncio.sleep(FRAME_EVERY_S)


def paced(case: Case) -> Handler:
    """A source's documented websocket at that pace."""

    async def handler(request: web.Request) -> web.StreamResponse:
        socket = PacedSocket(None, lambda _: False, b"", Switch())
        await socket.prepare(request)
        if case.serve_socket is not None:
            with suppress(ConnectionError):  # the client has gone
                await case.serve_socket(socket)
        return socket

    return handler
