"""A digest of plans and bounds over seeded sites and prices: the same compiled and not, whatever the hash seed."""

from __future__ import annotations

import hashlib
import sys

import numpy as np

from models.bound import capped_clairvoyant_usd, clairvoyant_usd_per_mw
from models.price_memory import new_memories, remember, renew_median
from models.price_path import DECAY, KEEP, SPIKE_DECAY, build_path, decay_per_step
from models.records import DAY_US, MINUTE_US
from models.site_plan import plan_site
from tests.support.small_sites import Floats, SmallSite, small_site

STEPS = 8
T0_US = 1_720_000_000_000_000 // DAY_US * DAY_US


def of_site(site: SmallSite) -> Floats:
    """Every figure that planning a site, and bounding what it could earn, gives."""
    count, steps = site.count, site.steps
    wanted, table = np.zeros(count, np.int64), np.zeros((3, 1 << min(count, 12)))
    way, gain, gap = plan_site(
        site.gain_usd,
        site.draw_mw,
        site.stop_usd,
        site.start_usd,
        site.modes,
        site.locked,
        site.min_on,
        site.min_off,
        count,
        steps,
        site.room_mw,
        site.ramp_mw,
        np.zeros((3, steps + 1)),
        table,
        np.zeros((2, count, steps + 1)),
        np.zeros((2, steps)),
        np.zeros(count),
        np.zeros((4, count), np.int64),
        wanted,
    )
    worth = np.zeros((2, steps + 1))
    alone = clairvoyant_usd_per_mw(site.gain_usd[0], site.stop_usd[0], site.start_usd[0], 2, 3, worth)
    together = 0.0
    if count <= 4:
        together = capped_clairvoyant_usd(
            site.gain_usd, site.draw_mw, site.stop_usd, site.start_usd, count, site.room_mw, table
        )
    return np.array([way, gain, gap, alone, together, *wanted])


def of_prices(seed: int) -> Floats:
    """A path at five minutes behind a median of four days."""
    chance, step_us = np.random.default_rng(seed), 5 * MINUTE_US
    memories, slots, prices = new_memories([step_us])
    for place, price in enumerate(chance.normal(40.0, 60.0, 1_200).tolist()):
        remember(memories, slots, prices, 0, T0_US + place * step_us, price)
    renew_median(memories, slots, prices, 0, 1, np.zeros(slots.shape[1]))
    path, curve, slot = np.zeros(24), chance.normal(40.0, 20.0, 60), T0_US // step_us + 1_200
    decays = decay_per_step(DECAY, step_us), decay_per_step(SPIKE_DECAY, step_us)
    build_path(path, 24, slot, memories, slots, prices, 0, curve, slot - 10, KEEP, *decays)
    return path


def digest(seeds: int) -> str:
    """Over sites of 1 to 4 loads and one in ten of 13, and over prices."""
    found = hashlib.sha256()
    for seed in range(seeds):
        site = small_site(seed, 13 if seed % 10 == 9 else 1 + seed % 4, STEPS, dwells=True, ramp=seed % 4 == 1)
        found.update(of_site(site).tobytes())
    found.update(of_prices(seeds).tobytes())
    return found.hexdigest()


if __name__ == "__main__":
    sys.stdout.write(digest(int(sys.argv[1])))
