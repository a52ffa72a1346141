"""Plans: a dynamic program over the prices expected for six hours; its first step is acted on.

    rolling_plan    the documented form: a deviation from the reference dies away
    wary_plan       the same, but of a price that has just fallen three tenths of the fall are not believed yet

What is expected stands in :mod:`models.price_path`, how it becomes a decision in :mod:`models.planning`. A plan has no
band: it stops and starts at margins that depend on the hours ahead.
"""

from __future__ import annotations

from models.price_path import KEEP

KEEPS = {"rolling_plan": 0.0, "wary_plan": KEEP}
"""Share of the last fall of the price that each does not believe yet."""
