"""`changeover command`: a person's orders, through the log, answered by a numbered entry."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streams.cli.options import Json, SettingsFile, read_settings, read_time
from streams.cli.output import print_result

if TYPE_CHECKING:
    from models.commands import Command
    from streams.settings import Settings

Miner = Annotated[str, typer.Argument(metavar="MINER", help="Whose site it is.", show_default=False)]
Site = Annotated[str, typer.Argument(metavar="SITE", help="The site.", show_default=False)]
LoadName = Annotated[str, typer.Argument(metavar="LOAD", help="One load; all of the site if none.")]
Who = Annotated[str, typer.Option("--who", help="Your name; it stays in the log.", show_default=False)]
Why = Annotated[str, typer.Option("--why", help="The reason; it stays in the log.", show_default=False)]
Until = Annotated[
    str, typer.Option("--until", help="When it ends: 45m, 2h, 3d, or 2026-11-24T18:00:00Z.", show_default=False)
]
Expect = Annotated[
    int | None, typer.Option("--expect", min=0, help="Only if the site has accepted just so many commands.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask whether it was read back right.")]
Wait = Annotated[float, typer.Option("--wait", min=0.1, max=3600.0, help="How long to wait for the answer [s].")]

SPAN = re.compile(r"^([1-9]\d{0,4})([mhd])\Z")
SECONDS = {"m": 60, "h": 3_600, "d": 86_400}
RELEASED = "released"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Order loads about: who, why, until when.")
    group.command("hold")(hold)
    group.command("force")(force)
    group.command("lock-out")(lock_out)
    group.command("release")(release)
    app.add_typer(group, name="command")


def hold(
    miner: Miner,
    site: Site,
    load: LoadName = "",
    *,
    who: Who,
    why: Why,
    until: Until,
    expect: Expect = None,
    yes: Yes = False,
    wait: Wait = 10.0,
    json: Json = False,
    settings: SettingsFile = None,
) -> int:
    """Keep loads in the mode they have, whatever prices say.

    Not for contracted loads. A failure direction `off` and the site's cap stand above it. Ends with 1 if it is refused.
    Keys with --json: answer, switches.
    """
    order = Given("hold", miner, site, load, None, who, why, until, expect)
    return send(read_settings(settings), order, yes, wait, json)


def force(
    miner: Miner,
    site: Site,
    load: LoadName = "",
    *,
    mode: Annotated[str, typer.Option("--mode", help="on or off.", show_default=False)],
    who: Who,
    why: Why,
    until: Until,
    expect: Expect = None,
    yes: Yes = False,
    wait: Wait = 10.0,
    json: Json = False,
    settings: SettingsFile = None,
) -> int:
    """Switch loads on or off and keep them there.

    Not for contracted loads; refused where what contracts and orders keep running leaves no room under the cap. Ends
    with 1 if it is refused. Keys with --json: answer, switches.
    """
    order = Given("force", miner, site, load, mode, who, why, until, expect)
    return send(read_settings(settings), order, yes, wait, json)


def lock_out(
    miner: Miner,
    site: Site,
    load: LoadName = "",
    *,
    who: Who,
    why: Why,
    until: Until = RELEASED,
    expect: Expect = None,
    yes: Yes = False,
    wait: Wait = 10.0,
    json: Json = False,
    settings: SettingsFile = None,
) -> int:
    """Switch loads off and let nothing start them, contracts and failure directions included.

    Stands until released if no end is given. Ends with 1 if it is refused. Keys with --json: answer, switches.
    """
    order = Given("lock-out", miner, site, load, None, who, why, until, expect)
    return send(read_settings(settings), order, yes, wait, json)


def release(
    miner: Miner,
    site: Site,
    load: LoadName = "",
    *,
    who: Who,
    why: Why,
    expect: Expect = None,
    yes: Yes = False,
    wait: Wait = 10.0,
    json: Json = False,
    settings: SettingsFile = None,
) -> int:
    """End the orders that stand for loads; prices decide again.

    Ends with 1 if it is refused. Keys with --json: answer, switches.
    """
    order = Given("release", miner, site, load, None, who, why, RELEASED, expect)
    return send(read_settings(settings), order, yes, wait, json)


@dataclass(frozen=True)
class Given:
    """A command as it was typed."""

    action: str
    miner: str
    site: str
    load: str
    mode: str | None
    who: str
    why: str
    until: str
    expect: int | None

    def at(self, issued_us: int) -> Command:
        """The command as its record, with an id of its own. Raises SettingsError: what is wrong with it."""
        import uuid

        from models.commands import Command
        from streams.errors import SettingsError

        try:
            return Command(
                id=f"command-{uuid.uuid4()}",
                miner=self.miner,
                site=self.site,
                load=self.load,
                action=self.action,
                mode=self.mode,
                who=self.who,
                why=self.why,
                issued_us=issued_us,
                until_us=end_us(self.until, issued_us),
                expected_version=self.expect,
            )
        except ValueError as error:
            raise SettingsError(f"command {self.action}: {error}") from error


def end_us(until: str, issued_us: int) -> int | None:
    """When an order ends [us UTC], None for until it is released.

    >>> end_us("2h", 0), end_us("released", 0)
    (7200000000, None)
    """
    if until == RELEASED:
        return None
    span = SPAN.match(until)
    if span:
        return issued_us + int(span[1]) * SECONDS[span[2]] * 1_000_000
    return read_time("--until", until)


def send(settings: Settings, given: Given, yes: bool, wait_s: float, json: bool) -> int:
    """Read the command back, append it, print its answer; 1 where it was refused."""
    import asyncio

    from streams.cli.tail import located
    from streams.exit_codes import DONE, WORLD_FAILED

    chosen = located(settings)
    order = given.at(asyncio.run(moment_us(chosen, given.miner)))
    if not (yes or json):
        typer.confirm(f"{read_back(order)}\nIs that right?", abort=True)
    answer, *switches = asyncio.run(asked(chosen, order, wait_s))
    lines = [answer["text"], *(f"  {each['load']}: {each['text']}" for each in switches)]
    lines.append(f"{answer['id']}, version {answer['version']}")
    print_result({"answer": answer, "switches": switches}, "\n".join(lines), json=json)
    return DONE if answer["outcome"] == "accepted" else WORLD_FAILED


async def moment_us(settings: Settings, miner: str) -> int:
    """Now [us UTC]; in a demo, whose time is simulated, the time of its log."""
    from streams.connect import opened_redis
    from streams.now import now_us
    from streams.sink import RedisSink

    if settings.names.origin != "demo":
        return now_us()
    async with opened_redis(settings) as client:
        head = await RedisSink(client, settings.names).head(miner)
        return now_us() if head is None else head.log_time_us


def read_back(order: Command) -> str:
    """What a command says, to be read before it is sent."""
    from datetime import UTC, datetime

    what = f"{order.action} {order.mode}" if order.mode else order.action
    where = f"load {order.load}" if order.load else "ALL loads"
    until = "" if order.action == "release" else ", until released"
    if order.until_us is not None:
        until = f", until {datetime.fromtimestamp(order.until_us // 1_000_000, UTC):%Y-%m-%d %H:%M:%S} UTC"
    return f"{what}: {where} of {order.miner}/{order.site}{until}; by {order.who}: {order.why}"


async def asked(settings: Settings, order: Command, wait_s: float) -> list[dict[str, Any]]:
    """Append a command and wait for its answer and the switches that came with it."""
    from dataclasses import asdict

    import orjson

    from streams.answered import Answers
    from streams.connect import kafka_connection, opened_redis
    from streams.log import RawProducer
    from streams.now import now_us

    async with opened_redis(settings) as client:
        answers = Answers(client, settings.names, order.miner)
        await answers.open()
        producer = RawProducer(kafka_connection(settings), settings.names, settings.new_instance("command"))
        await producer.start()
        try:
            await producer.append("command", now_us(), orjson.dumps(asdict(order)))
        finally:
            await producer.stop()
        return await answers.wait("command", "command", order.id, wait_s)
