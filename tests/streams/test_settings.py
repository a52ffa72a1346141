"""Settings: order of sources, refusals that name their place, secrets that stay hidden."""

from __future__ import annotations

import re
import tomllib
import traceback
from dataclasses import fields
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from models.records import DecidingConfig
from streams.errors import SettingsError
from streams.settings import ENVIRONMENT, Settings, load
from streams.wire import Names

EXAMPLE = Path(__file__).resolve().parents[2] / "deploy" / "settings.toml"
SECRET = "hunter2"  # noqa: S105 it is what must not be printed


def file_with(folder: Path, text: str) -> Path:
    """A settings file."""
    file = folder / "settings.toml"
    file.write_text(text)
    return file


def refusal(environment: dict[str, str] | None = None, file: Path | None = None) -> str:
    """What a refused load says."""
    with pytest.raises(SettingsError) as caught:
        load(file, environment or {})
    return str(caught.value)


def test_without_file_and_environment_everything_listens_on_loopback() -> None:
    settings = load(environment={})
    assert settings.kafka.bootstrap == "127.0.0.1:9092"
    assert settings.redis.masked == "redis://127.0.0.1:6379/0"
    assert settings.http.host == "127.0.0.1"
    assert settings.names == Names("live", "")


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(tmp_path: Path) -> None:
    file = file_with(tmp_path, "[run]\norigin = 'demo'\nname = 'a'\n[http]\nport = 7000\n")
    settings = load(file, {"CHANGEOVER_RUN": "b"})
    assert (settings.run.origin, settings.run.name, settings.http.port) == ("demo", "b", 7000)
    assert settings.names == Names("demo", "b")


def test_the_settings_file_can_be_named_by_the_environment(tmp_path: Path) -> None:
    file = file_with(tmp_path, "[http]\nport = 7001\n")
    assert load(environment={"CHANGEOVER_SETTINGS": str(file)}).http.port == 7001


def test_every_variable_sets_a_key_that_exists() -> None:
    for table, key in ENVIRONMENT.values():
        annotation = Settings.model_fields[table].annotation
        assert isinstance(annotation, type)
        assert issubclass(annotation, BaseModel)
        assert key in annotation.model_fields


def test_settings_cannot_be_changed_after_they_were_read() -> None:
    settings = load(environment={})
    with pytest.raises(ValidationError, match="frozen"):
        settings.http.port = 1


def test_a_mistyped_variable_is_refused_with_the_nearest_one() -> None:
    assert refusal({"CHANGEOVER_PRT": "1/2"}) == (
        "environment: CHANGEOVER_PRT is not a setting; did you mean CHANGEOVER_PART?"
    )


def test_a_variable_of_somebody_else_is_let_be() -> None:
    assert load(environment={"CHANGEOVERS": "1", "PATH": "/bin"}) == load(environment={})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[kafka]\nbrokrs = 'a:1'", "[kafka] has no key 'brokrs'; did you mean brokers?"),
        ("[kafak]\nbrokers = 'a:1'", "there is no table [kafak]; did you mean kafka?"),
        ("port = 1", "'port' must stand in a table"),
        ("[deciding]\ndead_band = 1", "[deciding] has no key 'dead_band'; did you mean dead_band_usd_per_mwh?"),
        ("[deciding]\ndead_band_usd_per_mwh = -1", "dead_band_usd_per_mwh -1.0 is outside 0.0 to 1000.0"),
        ("[deciding]\nbtc_price_limit_s = nan", "[deciding] btc_price_limit_s: should be a finite number"),
        ("[http]\nport = 70000", "[http] port: should be less than or equal to 65535; allowed: 0"),
        ("[run]\norigin = 'prod'", "[run] origin: should be 'live', 'demo' or 'replay'; allowed: live, demo, replay"),
        ("[run]\npart = '0/4'", "[run] part: no such part; allowed: I/N"),
        ("[run]\nname = 'A b'", "[run] name: not of the form allowed; allowed: lower-case letters"),
        ("[worker]\nmax_batch = 0", "[worker] max_batch: should be greater than or equal to 1"),
        ("[http", "is not TOML"),
    ],
)
def test_a_refused_file_is_named_with_the_key_and_what_is_allowed(tmp_path: Path, text: str, said: str) -> None:
    file = file_with(tmp_path, text)
    message = refusal(file=file)
    assert str(file) in message
    assert said in message
    assert "\n" not in message


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    assert "absent.toml: No such file or directory" in refusal(file=tmp_path / "absent.toml")


def test_several_refusals_come_in_one_message() -> None:
    message = refusal({"CHANGEOVER_HTTP_PORT": "x", "CHANGEOVER_ORIGIN": "x"})
    assert "environment CHANGEOVER_HTTP_PORT" in message
    assert "environment CHANGEOVER_ORIGIN" in message


def test_an_empty_variable_means_not_given() -> None:
    empty = {"CHANGEOVER_PART": "", "CHANGEOVER_HTTP_PORT": "", "CHANGEOVER_TICKS": "", "CHANGEOVER_CACHE": ""}
    assert load(environment=empty) == load(environment={})


def test_sasl_without_a_user_is_refused() -> None:
    assert "security SASL_SSL needs user and password" in refusal({"CHANGEOVER_KAFKA_SECURITY": "SASL_SSL"})


def test_secrets_appear_in_no_repr() -> None:
    settings = load(
        environment={
            "REDIS_URL": f"redis://desk:{SECRET}@cache:6379/1?password={SECRET}",
            "CHANGEOVER_KAFKA_SECURITY": "SASL_SSL",
            "CHANGEOVER_KAFKA_USER": "desk",
            "CHANGEOVER_KAFKA_PASSWORD": SECRET,
        }
    )
    for shown in (
        repr(settings),
        str(settings),
        settings.model_dump_json(),
        settings.redis.masked,
        f"{settings.kafka}",
    ):
        assert SECRET not in shown
    assert settings.redis.url.get_secret_value().count(SECRET) == 2
    assert settings.redis.masked == "redis://desk:***@cache:6379/1?***"


@pytest.mark.parametrize(
    "url", [f"http://u:{SECRET}@x", f"redis://u:{SECRET}@x:port", f"redis://u:{SECRET}@[x", f"u:{SECRET}"]
)
def test_a_refused_redis_url_is_not_repeated_in_the_message_nor_in_the_traceback(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(environment={"REDIS_URL": url})
    told = "".join(traceback.format_exception(caught.value))
    assert "environment REDIS_URL: not a Redis URL" in told
    assert SECRET not in told


def test_a_password_of_the_wrong_type_is_not_repeated(tmp_path: Path) -> None:
    file = file_with(tmp_path, f"[kafka]\npassword = ['{SECRET}']\n")
    message = refusal(file=file)
    assert "[kafka] password" in message
    assert SECRET not in message


def test_ticks_are_appended_for_live_runs_only_unless_set() -> None:
    assert load(environment={}).ticks
    assert not load(environment={"CHANGEOVER_ORIGIN": "demo"}).ticks
    assert load(environment={"CHANGEOVER_ORIGIN": "demo", "CHANGEOVER_TICKS": "1"}).ticks


def test_the_example_file_holds_every_key_with_its_default() -> None:
    assert load(EXAMPLE, {}).model_dump() == Settings().model_dump()
    shown = re.sub(r"^# (?=\w+ = )", "", EXAMPLE.read_text(), flags=re.MULTILINE)
    document = tomllib.loads(shown)
    for name, field in Settings.model_fields.items():
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            assert list(document[name]) == list(annotation.model_fields), name
        elif name == "deciding":
            assert list(document[name]) == [each.name for each in fields(DecidingConfig)]
    assert set(document) == set(Settings.model_fields) - {"keys"}


FEEDS_WRONG = (
    ("[feeds.krake]\n", "there is no source [feeds.krake]; did you mean kraken?"),
    ("[feeds.kraken]\nurll = 'x'", "[feeds.kraken] has no key 'urll'; did you mean url?"),
    ("[feeds.kraken]\nurl = 'ftp://x'", "[feeds.kraken] url:"),
    ("[feeds.kraken]\nsilent_s = 'soon'", "[feeds.kraken] silent_s:"),
    ("[keys]\nLUXOR_API_KEY = 'x'", "keys of sources come from the environment alone"),
)


@pytest.mark.parametrize(("text", "said"), FEEDS_WRONG)
def test_a_wrong_table_of_a_source_names_the_place_and_what_is_allowed(tmp_path: Path, text: str, said: str) -> None:
    assert said in refusal(file=file_with(tmp_path, text))


def test_keys_come_from_the_environment_or_a_file_it_names_and_are_never_shown(tmp_path: Path) -> None:
    kept = tmp_path / "key"
    kept.write_text(f"{SECRET}\n")
    settings = load(environment={"LUXOR_API_KEY": SECRET, "ORNN_API_KEY_FILE": str(kept)})
    assert {name: key.get_secret_value() for name, key in settings.keys.items()} == {
        "LUXOR_API_KEY": SECRET,
        "ORNN_API_KEY": SECRET,
    }
    assert SECRET not in repr(settings)
    assert SECRET not in settings.model_dump_json()
    with pytest.raises(SettingsError, match="ORNN_API_KEY_FILE: cannot read"):
        load(environment={"ORNN_API_KEY_FILE": str(tmp_path / "none")})
