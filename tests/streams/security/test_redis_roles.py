"""Each role on Redis does its work and is refused all it must not have: tried on Debian's Redis and on Valkey."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import redis.asyncio
from redis.exceptions import AuthenticationError, NoPermissionError, ResponseError

from streams.client import Signals, WorldError
from streams.errors import SettingsError
from streams.security.redis_users import acl_file, kept_passwords, password_hash, users_of
from streams.security.roles import ROLES
from streams.sink import RedisSink, check_redis
from streams.tail import Follower
from streams.wire import Names
from tests.support.desk import take_signals
from tests.support.publisher import Publisher
from tests.support.redis_server import SERVERS, RedisServer, redis_server

LIVE = Names("live")
USERS = users_of(["ann"], ["alpha=mara", "beta=mara,cipher"])
BY_ROLE = {"worker": "worker", "agents": "agents", "admin": "admin", "operator": "ann", "desk": "alpha"}
pytestmark = [pytest.mark.guarantee("G8")]


class Guarded:
    """A server with our users, and their passwords."""

    def __init__(self, server: RedisServer, passwords: dict[str, str]) -> None:
        self.server = server
        self.passwords = passwords

    def url(self, user: str) -> str:
        """How a user reaches it."""
        return self.server.url(user, self.passwords[user])

    @asynccontextmanager
    async def as_user(self, user: str) -> AsyncIterator[redis.asyncio.Redis]:
        """A plain client under a user's login."""
        async with redis.asyncio.Redis.from_url(self.url(user)) as client:
            yield client

    async def allowed(self, user: str, *words: str) -> bool:
        """Whether a user's command passes the access list, whatever comes of it then."""
        async with self.as_user(user) as client:
            try:
                await client.execute_command(*words)  # type: ignore[no-untyped-call]  # redis-py leaves it so
            except NoPermissionError:
                return False
            except ResponseError as refusal:
                return "NOPERM" not in str(refusal)
            return True


@pytest.fixture(scope="module", params=SERVERS)
def guarded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """Each kind of server with the file of users that the command prints."""
    folder = tmp_path_factory.mktemp("acl")
    passwords, _ = kept_passwords(folder / "passwords", [user.name for user in USERS])
    content = acl_file(USERS, {name: password_hash(secret) for name, secret in passwords.items()}, LIVE)
    with redis_server(
        request.param,
        folder,
        users=content,
        options=("--enable-debug-command", "yes", "--enable-module-command", "yes"),
    ) as server:
        yield Guarded(server, passwords)


@pytest.fixture
async def published(guarded: Guarded) -> AsyncIterator[Publisher]:
    """Two miners, published by the worker's login alone, on a server that the admin's has cleared."""
    async with guarded.as_user("admin") as admin:
        async for key in admin.scan_iter(match="changeover:*"):
            await admin.delete(key)
    async with guarded.as_user("worker") as client:
        publisher = Publisher(client, LIVE, ("mara", "cipher"))
        for miner in publisher.miners:
            await publisher.publish(miner, count=3)
        await publisher.tick()
        yield publisher


async def test_the_worker_does_all_of_its_work(guarded: Guarded, published: Publisher) -> None:
    async with guarded.as_user("worker") as client:
        assert await check_redis(client) == []
        sink = RedisSink(client, LIVE)
        await sink.start()
        assert await sink.miners() == ["cipher", "mara"]
        head = await sink.head("mara")
        assert head is not None
        assert await sink.store_checkpoint("mara", head.offset, b"state", head.generation)
        assert await sink.load_checkpoint("mara") == (head.offset, b"state")
        assert await sink.trim_mark("mara", 1) == 0
        assert await sink.sites("mara") == ["north"]
        assert (await sink.site("mara", "north"))["json"]
        assert len(await sink.read("mara")) == 3
        batch = published.batches["mara"][-1]
        assert (await sink.write(batch)).status == "DUPLICATE"


async def test_the_worker_fills_a_stream_that_was_lost(guarded: Guarded, published: Publisher) -> None:
    async with guarded.as_user("admin") as admin:
        head = await RedisSink(admin, LIVE).head("mara")
        await admin.delete(LIVE.key("mara", "head"), LIVE.key("mara", "signals"))
    async with guarded.as_user("worker") as client:
        sink = RedisSink(client, LIVE)
        assert await sink.refill("mara", published.entries["mara"], head)
        assert await sink.read("mara") == published.entries["mara"]


async def test_the_agents_copy_and_mark_and_write_nothing_else(guarded: Guarded, published: Publisher) -> None:
    del published
    async with guarded.as_user("agents") as client:
        sink = RedisSink(client, LIVE)
        follower = Follower(client, LIVE, None, latest=100)
        assert len([told async for told in follower.run(follow=False) if told.entry]) == 6
        assert [key async for key in client.scan_iter(match="changeover:{_market*}:checkpoint")] == []
        assert await sink.load_checkpoint("mara") is None
        await sink.mark_trim("mara", 1, 2)
        with pytest.raises(WorldError, match="lacks a right"):
            await sink.trim_mark("mara", 1)
        for key in (LIVE.key("mara", "head"), LIVE.key("mara", "checkpoint"), LIVE.miners):
            with pytest.raises(NoPermissionError):
                await client.set(key, "x")


async def test_a_desk_follows_its_miner_with_snapshot_hints_and_clock(guarded: Guarded, published: Publisher) -> None:
    async with Signals(guarded.url("alpha"), ["mara"], start="oldest") as signals:
        assert [signal.seq for signal in await take_signals(signals, 3)] == [1, 2, 3]
        assert signals.snapshots["mara"].sites["north"]["miner"] == "mara"
        await published.publish("mara")
        (signal,) = await take_signals(signals, 1)
        assert (signal.seq, signal.miner) == (4, "mara")


async def test_a_desk_hears_the_hints_of_its_own_miner_alone(guarded: Guarded, published: Publisher) -> None:
    async with guarded.as_user("alpha") as client, client.pubsub(ignore_subscribe_messages=True) as hints:
        await hints.subscribe(LIVE.key("mara", "live"))
        await published.publish("mara")
        async with asyncio.timeout(10):
            while (message := await hints.get_message(timeout=1)) is None:
                pass
        assert message["channel"].decode() == LIVE.key("mara", "live")
        for words in (("SUBSCRIBE", LIVE.key("cipher", "live")), ("PSUBSCRIBE", "*"), ("PSUBSCRIBE", "changeover:*")):
            assert not await guarded.allowed("alpha", *words), words


async def test_a_desk_that_asks_for_another_miner_or_for_all_is_told_what_it_lacks(
    guarded: Guarded, published: Publisher
) -> None:
    del published
    for miners in (["cipher"], ["mara", "cipher"], None):
        with pytest.raises(WorldError, match="lacks a right"):
            async with Signals(guarded.url("alpha"), miners):
                pass
    with pytest.raises(WorldError, match="lacks a right"):
        async with Signals(guarded.url("alpha"), ["nobody"]):
            pass
    async with Signals(guarded.url("beta"), ["mara", "cipher"], start="oldest") as signals:
        assert len(await take_signals(signals, 6)) == 6


FOREIGN = ("{cipher}:head", "{cipher}:signals", "{cipher}:sites", "{cipher}:site:north", "miners", "{mara}:checkpoint")
OTHERS = ("{mara}:trim", "{mara}:acks", "{mara}:signals:g1", "{maraX}:head", "demo-main:{mara}:head")
READS = {"signals": "XRANGE", "acks": "XRANGE", "sites": "SMEMBERS", "miners": "SMEMBERS", "g1": "XRANGE"}


@pytest.mark.parametrize("word", [*FOREIGN, *OTHERS])
async def test_a_desk_reads_no_key_but_its_own(guarded: Guarded, word: str) -> None:
    command = READS.get(word.rpartition(":")[2], "HGETALL")
    more = ("-", "+") if command == "XRANGE" else ()
    assert not await guarded.allowed("alpha", command, f"changeover:{word}", *more)
    assert await guarded.allowed(
        "alpha", command, "changeover:{mara}:" + {"XRANGE": "signals"}.get(command, "head"), *more
    )


async def test_a_desk_reaches_no_other_key_by_a_transaction_or_by_reading_several(guarded: Guarded) -> None:
    mine, other = LIVE.key("mara", "signals"), LIVE.key("cipher", "signals")
    assert await guarded.allowed("alpha", "XREAD", "STREAMS", mine, "0-0")
    assert not await guarded.allowed("alpha", "XREAD", "STREAMS", mine, other, "0-0", "0-0")
    async with guarded.as_user("alpha") as client, client.pipeline(transaction=True) as asked:
        asked.hgetall(LIVE.key("mara", "head"))
        asked.hgetall(LIVE.key("cipher", "head"))
        with pytest.raises(ResponseError):
            await asked.execute()


WRITES = (
    ("SET", "changeover:{mara}:checkpoint", "1:x"),
    ("SET", "changeover:{mara}:trim", "1:9"),
    ("HSET", "changeover:{mara}:head", "seq", "9"),
    ("HSET", "changeover:{mara}:site:north", "json", "{}"),
    ("SADD", "changeover:miners", "nobody"),
    ("SADD", "changeover:{mara}:sites", "x"),
    ("XADD", "changeover:{mara}:signals", "99-0", "json", "{}"),
    ("XADD", "changeover:{mara}:acks", "*", "id", "mara:1:1"),
    ("XTRIM", "changeover:{mara}:signals", "MINID", "1-0"),
    ("PUBLISH", "changeover:{mara}:live", "{}"),
    ("FCALL", "none", "1", "changeover:{mara}:head"),
    ("FUNCTION", "LOAD", "no library"),
    ("DEL", "changeover:{mara}:nothing"),
    ("UNLINK", "changeover:{mara}:nothing"),
    ("RENAME", "changeover:{mara}:nothing", "changeover:{mara}:none"),
    ("EXPIRE", "changeover:{mara}:head", "1"),
    ("SCAN", "0"),
    ("KEYS", "nothing"),
    ("INFO",),
    ("GET", "changeover:{mara}:checkpoint"),
    ("CONFIG", "GET", "port"),
    ("ACL", "LIST"),
    ("CLIENT", "LIST"),
    ("XDEL", "changeover:{mara}:acks", "1-0"),
)
"""What some role may do; who may do which stands in MAY."""
MAY = {
    "worker": {0, 2, 3, 4, 5, 6, 8, 9, 10, 11, 18, 19},
    "agents": {1, 16, 19, 23},
    "desk": set(),
    "operator": {7},
    "admin": {2, 3, 10, 11, 12, 13, 14, 16, 18, 19, 20, 21, 22},
}
NOBODY = (
    ("FLUSHALL", "no such option"),
    ("FLUSHDB", "no such option"),
    ("CONFIG", "SET", "maxmemory-policy", "noeviction"),
    ("CONFIG", "RESETSTAT"),
    ("CONFIG", "REWRITE"),
    ("ACL", "SETUSER", "alpha", "+@all"),
    ("ACL", "DELUSER", "nobody"),
    ("ACL", "SAVE"),
    ("EVAL", "return 1", "0"),
    ("EVAL_RO", "return 1", "0"),
    ("SCRIPT", "FLUSH"),
    ("FUNCTION", "FLUSH"),
    ("FUNCTION", "RESTORE", "x"),
    ("FUNCTION", "KILL"),
    ("DEBUG", "HELP"),
    ("MODULE", "LIST"),
    ("MONITOR",),
    ("REPLICAOF", "x", "no port"),
    ("SYNC",),
    ("PSYNC", "?", "-1"),
    ("SAVE",),
    ("BGSAVE",),
    ("BGREWRITEAOF",),
    ("SWAPDB", "0", "1"),
    ("SELECT", "1"),
    ("MOVE", "changeover:{mara}:head", "1"),
    ("MIGRATE", "x", "1", "changeover:{mara}:head", "0", "1"),
    ("RESTORE", "changeover:{mara}:x", "0", "x"),
    ("DUMP", "changeover:{mara}:head"),
    ("SORT", "changeover:{mara}:sites", "ALPHA"),
    ("CLIENT", "KILL", "ID", "999999"),
    ("CLIENT", "NO-EVICT", "on"),
    ("CLUSTER", "INFO"),
    ("LATENCY", "RESET"),
    ("SLOWLOG", "RESET"),
    ("RANDOMKEY",),
    ("DBSIZE",),
    ("PUBSUB", "CHANNELS"),
    ("SSUBSCRIBE", "changeover:{mara}:live"),
    ("GET", "key-of-somebody-else"),
    ("SET", "key-of-somebody-else", "x"),
)


@pytest.mark.parametrize("role", BY_ROLE)
async def test_each_role_may_do_what_the_table_says_and_nothing_else(guarded: Guarded, role: str) -> None:
    found = {place for place, words in enumerate(WRITES) if await guarded.allowed(BY_ROLE[role], *words)}
    assert {WRITES[place] for place in found ^ MAY[role]} == set()


@pytest.mark.parametrize("role", BY_ROLE)
async def test_what_nobody_may_do_is_refused_to_each_role(guarded: Guarded, role: str) -> None:
    assert [words for words in NOBODY if await guarded.allowed(BY_ROLE[role], *words)] == []


async def test_every_role_is_tried() -> None:
    assert {role.name for role in ROLES} == set(BY_ROLE) == set(MAY)


@pytest.mark.parametrize("kind", SERVERS)
async def test_what_redis_calls_dangerous_is_held_by_the_admin_and_info_by_the_worker(
    kind: str, tmp_path: Path
) -> None:
    with redis_server(kind, tmp_path) as server:
        async with redis.asyncio.Redis.from_url(server.url(), decode_responses=True) as client:
            found = await client.execute_command("ACL", "CAT", "dangerous")  # type: ignore[no-untyped-call]  # redis-py leaves it so
    dangerous = {str(command).lower() for command in found}
    held = {role.name: {each for each in role.commands if each in dangerous} for role in ROLES}
    assert "config|get" in held.pop("admin")
    assert held == {"worker": {"info"}, "agents": set(), "desk": set(), "operator": set()}


async def test_nobody_comes_in_without_a_login_or_with_a_wrong_one(guarded: Guarded) -> None:
    for url in (guarded.server.url(), guarded.server.url("default", "x" * 30), guarded.server.url("alpha", "x" * 30)):
        async with redis.asyncio.Redis.from_url(url) as client:
            with pytest.raises(AuthenticationError):
                await client.ping()


async def test_the_admin_begins_a_generation_and_reads_the_settings(guarded: Guarded, published: Publisher) -> None:
    del published
    async with guarded.as_user("admin") as client:
        assert await RedisSink(client, LIVE).new_generation("mara") == 2
        assert await client.config_get("maxmemory-policy")
        assert await client.exists(LIVE.key("mara", "signals") + ":g1")


def test_desks_and_operators_are_read_from_the_command_line() -> None:
    for operators, desks, said in (
        ([], ["alpha"], "say the miners"),
        ([], ["alpha=*"], "name each miner"),
        ([], ["Alpha=mara"], "is no user"),
        (["worker"], [], "comes twice"),
        (["default"], [], "is no user"),
        ([], ["alpha=mara", "alpha=cipher"], "comes twice"),
    ):
        with pytest.raises(SettingsError, match=said):
            users_of(operators, desks)


@pytest.mark.parametrize("miner", ["ma ra", "ma*", "m?", "[a]", "a{b", "_market", "x\\"])
def test_a_miner_that_would_widen_a_rule_is_refused(miner: str) -> None:
    with pytest.raises(SettingsError, match="no miner's name"):
        acl_file(users_of([], [f"alpha={miner}"]), dict.fromkeys([*BY_ROLE, "alpha"], "0" * 64), LIVE)


def test_passwords_are_made_once_and_only_we_may_read_them(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "passwords"
    first, made = kept_passwords(folder, ["a", "b"])
    assert [path.stat().st_mode & 0o777 for path in made] == [0o600, 0o600]
    assert folder.stat().st_mode & 0o777 == 0o700
    assert kept_passwords(folder, ["a", "b"]) == (first, [])
    made[0].chmod(0o644)
    with pytest.raises(SettingsError, match="others may read it; chmod 600"):
        kept_passwords(folder, ["a"])
    made[1].write_text("short\n")
    with pytest.raises(SettingsError, match="20 characters"):
        kept_passwords(folder, ["b"])
