"""Record types of the state's arrays, and the codes and places that stand in them. No function lives here."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

BTC_SERIES = "btc:usd"
NETWORK_SERIES = "network:btc"

ASIC, POOL, LEASE = 0, 1, 2
HOLD, OFF, RUN = 0, 1, 2
FAILURE_CODES = {"hold": HOLD, "off": OFF, "run": RUN}

# Components of a series in a view, and the group its changes are explained under.
PLAIN, REWARD = 0, 1
GROUPS = ("power_price", "btc_price", "network", "gpu_rate", "utilisation")
POWER_GROUP, BTC_GROUP, NETWORK_GROUP, RATE_GROUP, UTILISATION_GROUP = range(5)
GROUP_UNITS = ("USD/MWh", "USD/BTC", "difficulty", "USD/GPU-h", "fraction")

VIEW_BTC, VIEW_DIFFICULTY, VIEW_REWARD, VIEW_FIXED = 0, 1, 2, 3

NO_ORDER, ORDERED, LOCKED = 0, 1, 2
ORDER_WORDS = (None, "operator order", "operator lock-out")
UNCONFIRMED, DONE, DECLINED = 0, 1, 2
CONFIRMED_WORDS = ("unconfirmed", "done", "refused")

AWAITED, USABLE, UNUSABLE = 0, 1, 2  # states of a view's input, as last published

NEVER = np.iinfo(np.int64).max

# Given to large compiled functions instead of bare figures, for each of which another copy would be compiled.
NONE: int = np.int64(0)  # type: ignore[assignment]  # to whoever calls it is a whole number
ONE: int = np.int64(1)  # type: ignore[assignment]  # the same
LONG_AGO = -(2**62)

SERIES = np.dtype(
    [
        ("value", "f8"),
        ("second", "f8"),
        ("order", "i8"),
        ("event_us", "i8"),
        ("receipt_us", "i8"),
        ("due_us", "i8"),
        ("limit_us", "i8"),  # how long past due it may be used
        ("source", "i8"),
        ("revision", "i8"),
        ("seen", "i8"),  # how many values the current key has had
        ("curve", "i8"),  # number of its curve, -1
        ("known", "i8"),
        ("fresh", "i8"),  # may be used now
        ("quality", "i8"),  # QUALITIES
        ("reason", "i8"),  # REASONS
        ("jump", "f8"),  # its limit of a jump: USD/MWh for power, a fraction for a member, 0: none
        ("base", "f8"),  # power: usual level [USD/MWh], which a spike moves by no more than its limit
        ("blocks", "i8"),  # network: blocks behind the mean of fees held
        ("mean_order", "i8"),  # network: height at which that mean was taken
        ("head_of", "i8"),  # number of the group whose consensus it is, -1
        ("member_of", "i8"),  # number of the group it is a member of, -1
        ("out", "i8"),  # a member that does not count: IN, OUT_STALE, OUT_APART
        ("turn_us", "i8"),  # log time from which it leaves, or counts again, if it stays as it is; 0: neither
        ("pending", "f8"),  # a value that jumped and awaits the next print, nan: none
        ("counted", "i8"),  # a consensus: members that count
        ("memory", "i8"),  # number of its memory of prices, -1: it has none
        ("zone", "i8"),  # local time of its market
        ("plans", "i8"),  # a change of it is planned on at once; others wait for the next plan
    ]
)
OK, CORRECTED, SUSPECT, WITHHELD = 0, 1, 2, 3
QUALITIES = ("ok", "corrected", "suspect", "withheld")
NO_REASON, JUMPED, SPIKE, SPIKE_CONFIRMED, RESTATED, TOO_FEW, TOO_WIDE, SHORT_MEAN = range(8)
REASONS = (
    "",
    "moved more than its limit; the next print confirms it or not",
    "far from its usual level; the next interval confirms it or not",
    "far from its usual level, confirmed by a second interval",
    "restated by its source",
    "too few members agree",
    "its members lie too far apart",
    "fees over fewer than 144 blocks",
)
IN, OUT_STALE, OUT_APART = 0, 1, 2

GROUPS_OF_SERIES = np.dtype(
    [
        ("head", "i8"),  # series of the consensus
        ("first", "i8"),  # place of its first member in the list of members
        ("members", "i8"),
        ("least", "i8"),  # members that must agree
        ("band", "f8"),  # a member further from the median counts no more [fraction]; 0: as the spread says
        ("widest", "f8"),  # largest spread of members that count [fraction], 0: any
        ("leave_us", "i8"),  # how long a member may be beyond the band before it counts no more
        ("return_us", "i8"),  # how long it must then be well before it counts again; 0: the band alone decides
    ]
)
MAX_SEEN = 16  # values remembered under one key; a source that prints more is read as repeating none of them

CURVES = np.dtype([("series", "i8")])
CURVE_SLOTS = 512  # intervals kept of a curve, the latest: five days of quarter hours

LOADS = np.dtype(
    [
        ("site", "i8"),
        ("kind", "i8"),
        ("dispatched", "i8"),  # 0: leased and reserved loads have no dispatch option
        ("failure", "i8"),
        ("mw", "f8"),  # nameplate at the meter
        ("pue", "f8"),
        ("joules_per_th", "f8"),
        ("pool_fee", "f8"),
        ("opex", "f8"),  # ASIC USD/MWh, pool USD/GPU-h
        ("uptime", "f8"),
        ("gpus", "f8"),
        ("kw_per_gpu", "f8"),
        ("idle_fraction", "f8"),
        ("utilisation", "f8"),  # used where it has no series
        ("rent_usd_per_kw_month", "f8"),
        ("noi_margin", "f8"),
        ("rent_per_it", "i8"),
        ("rent_gross", "i8"),
        ("lmp_factor", "f8"),  # marginal power price = lmp_factor * LMP + lmp_fixed
        ("lmp_fixed", "f8"),
        ("bill_factor", "f8"),  # the same for the bill
        ("bill_fixed", "f8"),
        ("stop_usd_per_mw", "f8"),
        ("start_usd_per_mw", "f8"),
        ("min_on_us", "i8"),
        ("min_off_us", "i8"),
        ("act_within_us", "i8"),
        ("initially", "i8"),  # mode its fleet file starts it in; a contract keeps it there
        ("view_power", "i8"),  # places in the site's view, -1: not needed
        ("view_rate", "i8"),
        ("view_utilisation", "i8"),
        ("view_btc", "i8"),  # 0 for ASIC loads, else -1
        # --- state ---
        ("mode", "i8"),  # 1 runs
        ("valued", "i8"),  # has had its initial valuation
        ("usable", "i8"),  # all its inputs are usable now
        ("awaiting", "i8"),  # an input it needs never printed and may still be awaited, and none is unusable
        ("since_us", "i8"),  # log time of the last change
        ("order", "i8"),  # what a person ordered: NO_ORDER, ORDERED, LOCKED
        ("order_mode", "i8"),
        ("order_until_us", "i8"),
        ("decision", "i8"),  # number of its site's decision that last switched it, 0: none yet
        ("act_by_us", "i8"),  # by when that was to be carried out
        ("confirmed", "i8"),  # of that decision: UNCONFIRMED, DONE, DECLINED
        ("placed", "i8"),  # its first mode was chosen, where that is free
        ("plan_usd", "f8"),  # what the last plan is worth over changing nothing; nan: what runs could not stay
        ("margin", "f8"),  # USD/MWh at the meter
        ("draw_mw", "f8"),
        ("shift", "f8"),  # USD/h by which fleet changes moved its value since its last signal
        ("last_view", "i8"),  # where the view of its last signal begins
    ]
)

SITES = np.dtype(
    [
        ("first_load", "i8"),
        ("loads", "i8"),
        ("first_input", "i8"),
        ("inputs", "i8"),
        ("mw_cap", "f8"),
        ("warm_until_us", "i8"),
        ("wake_us", "i8"),  # end of the next blocking dwell
        ("decisions", "i8"),
        ("version", "i8"),  # commands accepted so far
        ("acknowledge", "i8"),  # its switches are to be confirmed by a person
        ("over_cap", "i8"),
        ("gap_usd_per_hour", "f8"),  # how far the last choice under the cap may lie below the best
        ("day_ahead", "i8"),  # series of its node's day-ahead curve
        ("planned_us", "i8"),  # begin of the interval for which a plan was last made
        ("plan_steps", "i8"),  # how many intervals it looked ahead
        ("plan_without", "i8"),  # what it had to do without, see models.price_path
        ("plan_reference", "f8"),  # USD/MWh that it expects prices to return to
    ]
)

INPUTS = np.dtype(
    [
        ("series", "i8"),
        ("component", "i8"),
        ("group", "i8"),
        ("needed", "i8"),  # some load's decision depends on it
        ("state", "i8"),  # as last published
    ]
)

CLOCKS = np.dtype(
    [
        ("log_time_us", "i8"),
        ("next_stale_us", "i8"),
        ("next_curve_us", "i8"),
        ("next_wake_us", "i8"),
        ("next_fleet_us", "i8"),
        ("next_mark_us", "i8"),
        ("mark_every_us", "i8"),
        ("ticks", "i8"),
        ("run", "i8"),  # how many of the last ticks came from `run_of` alone
        ("run_of", "i8"),
    ]
)

EVENTS = np.dtype([("code", "i8"), ("site", "i8"), ("item", "i8"), ("before", "i8"), ("after", "i8"), ("rule", "i8")])

Array = npt.NDArray[np.void]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
