"""What outsiders may write on topic `observations`, and the raw payload made of it. Pure: no connection, no clock.

A message is a JSON object or a list of up to 1,000, each one observation. Its series is a name in the writer's own
namespace, so no message can touch a series of ours or of another principal:

=============  ==============================================  =========================
kind           series in the log                               named in a fleet as
=============  ==============================================  =========================
power_price    ``power:PRIVATE:<principal>.<series>:<market>``  site power ``node``
gpu_rate       ``gpu:private.<principal>.<series>``             pool ``rate_series``
utilisation    ``utilisation:<principal>.<series>``             pool ``utilisation_series``
=============  ==============================================  =========================

Bitcoin's price and the network's state are the same for everyone and cannot be given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from models.records import OBSERVATION_KINDS

RESERVED = frozenset({"http-json"})
"""Names that no outsider may write under: the private namespaces of our own sources."""

MAX_MESSAGE_BYTES = 1024 * 1024
MAX_OBSERVATIONS = 1_000

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_+-]{0,28}$")]
Principal = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,29}$")]
TimeUs = Annotated[int, Field(ge=0, description="Microseconds since 1970-01-01 UTC.")]


class Outside(BaseModel):
    """One observation of an outsider."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)

    series: Annotated[Name, Field(description="Your name of the series: letters, digits, _ + -, 29 at most.")]
    principal: Annotated[
        Principal | None, Field(description="Who you are; or the Kafka header `principal`. If both, they must agree.")
    ] = None
    event_time_us: Annotated[TimeUs, Field(description="When it was so; for a price of an interval, its start.")]
    next_due_us: Annotated[TimeUs, Field(description="When the next one is due: past it, the series turns stale.")]
    publish_time_us: Annotated[TimeUs | None, Field(description="When the source published it, if known.")] = None
    revision: Annotated[
        int | None, Field(ge=0, lt=2**31, description="Your own number of this correction, if you number them.")
    ] = None

    def in_log(self, principal: str) -> str:
        """The series of the log this one becomes."""
        raise TypeError(f"the outside observation of {principal} is none of its kinds")


class OutsidePower(Outside):
    """Price of power over an interval [USD/MWh]."""

    kind: Literal["power_price"]
    market: Annotated[
        Literal["rt", "da"], Field(description="rt: the price now; da: a curve known ahead, read at the time wanted.")
    ] = "rt"
    end_time_us: Annotated[TimeUs, Field(description="End of the interval, a day after its start at most.")]
    usd_per_mwh: Annotated[float, Field(ge=-50_000, le=50_000, allow_inf_nan=False)]

    def in_log(self, principal: str) -> str:
        """``power:PRIVATE:<principal>.<series>:<market>``."""
        return f"power:PRIVATE:{principal}.{self.series}:{self.market}"


class OutsideGpu(Outside):
    """Rental rate of one GPU [USD/GPU-h]."""

    kind: Literal["gpu_rate"]
    usd_per_gpu_hour: Annotated[float, Field(ge=0.001, le=500, allow_inf_nan=False)]

    def in_log(self, principal: str) -> str:
        """``gpu:private.<principal>.<series>``."""
        return f"gpu:private.{principal}.{self.series}"


class OutsideUtilisation(Outside):
    """Rented share of a GPU pool, 0 to 1."""

    kind: Literal["utilisation"]
    utilisation: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]

    def in_log(self, principal: str) -> str:
        """``utilisation:<principal>.<series>``."""
        return f"utilisation:{principal}.{self.series}"


OneOutside = Annotated[OutsidePower | OutsideGpu | OutsideUtilisation, Field(discriminator="kind")]
ONE: TypeAdapter[Outside] = TypeAdapter(OneOutside)
MANY: TypeAdapter[list[OutsidePower | OutsideGpu | OutsideUtilisation]] = TypeAdapter(
    Annotated[list[OneOutside], Field(min_length=1, max_length=MAX_OBSERVATIONS)]
)
PRINCIPAL: TypeAdapter[str] = TypeAdapter(Principal)


def json_schema() -> dict[str, Any]:
    """JSON Schema of a message on topic `observations`."""
    message: TypeAdapter[Any] = TypeAdapter(
        OneOutside | Annotated[list[OneOutside], Field(min_length=1, max_length=MAX_OBSERVATIONS)]
    )
    schema = message.json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A message on topic observations",
        **schema,
    }


def admit(message: bytes, header: str | None, receipt_time_us: int) -> bytes:
    """Check a message and return the payload for the raw log (feed ``observation``), stamped with who and when.

    Raises:
        ValueError: the message is not admitted; says which field and why.

    >>> admit(b'{"kind": "gpu_rate", "series": "H100", "event_time_us": 1700000000000000, "usd_per_gpu_hour": 2.1,'
    ...       b'"next_due_us": 1700003600000000}', "desk-a", 1700000000000000)
    b'[{"kind":"gpu_rate","series":"gpu:private.desk-a.H100","source":"private:desk-a",\
"event_time_us":1700000000000000,"next_due_us":1700003600000000,"publish_time_us":null,"revision":null,\
"usd_per_gpu_hour":2.1}]'
    """
    if len(message) > MAX_MESSAGE_BYTES:
        raise ValueError(f"the message has {len(message)} bytes; {MAX_MESSAGE_BYTES} at most")
    try:
        listed = message.lstrip()[:1] == b"["
        observations: Sequence[Outside] = MANY.validate_json(message) if listed else [ONE.validate_json(message)]
        principals = [PRINCIPAL.validate_python(whose(each, header)) for each in observations]
    except ValidationError as error:
        refusal = "; ".join(one_line(details) for details in error.errors(include_input=False, include_url=False)[:5])
    else:
        stamped = [
            stamp(each, principal, receipt_time_us) for each, principal in zip(observations, principals, strict=True)
        ]
        return orjson.dumps(stamped)
    raise ValueError(refusal)


def whose(observation: Outside, header: str | None) -> str:
    """The principal by header or field."""
    if header is not None and observation.principal not in (None, header):
        raise ValueError(f"header principal {header!r} and field principal {observation.principal!r} differ")
    principal = header or observation.principal
    if principal is None:
        raise ValueError("nobody is named: give header principal or field principal")
    if principal in RESERVED:
        raise ValueError(f"principal {principal!r} is the name of a source of ours; use another")
    return principal


def stamp(observation: Outside, principal: str, receipt_time_us: int) -> dict[str, object]:
    """The object of the raw log, proved to be a record of its kind."""
    values = observation.model_dump(exclude={"series", "principal", "market", "kind"})
    record_kind = OBSERVATION_KINDS[observation.model_dump()["kind"]]
    values |= {"series": observation.in_log(principal), "source": f"private:{principal}"}
    record_kind(**values, receipt_time_us=receipt_time_us)
    order = [field.name for field in fields(record_kind) if field.name in values]
    return {"kind": record_kind.kind, **{name: values[name] for name in order}}


def one_line(details: ErrorDetails) -> str:
    """One refusal of a field."""
    place = ".".join(str(part) for part in details["loc"])
    return f"{place}: {details['msg']}" if place else str(details["msg"])
