"""A fleet document with one of everything, for tests that change it."""

from __future__ import annotations

import copy
import tomllib
from typing import Any

TEXT = """
[miner]
key = "mara"
name = "MARA"

[[site]]
key = "yard"
mw_cap = 20

[site.power]
node = "ERCOT:HB_SOUTH"

[[site.asic]]
key = "s21"
model = "S21"
joules_per_th = 17.5
mw = 8.0
effective_from = 2024-04-20

[[site.asic]]
key = "s19"
model = "S19j Pro"
joules_per_th = 29.5
mw = 4.0

[[site.gpu]]
key = "h100"
gpu = "H100-SXM"
gpus = 64
kw_per_gpu = 1.4
bf16_tflops = 989.0

[[site.lease]]
key = "tenant"
usd_per_kw_month = 150.0
it_mw = 4.0

[site.reference.asic]
key = "reference"
model = "S21"
joules_per_th = 17.5
mw = 1.0

[[fact]]
claim = "20 MW"
date = "2024-04-20"
source = "its meter"
mark = "confirmed"
"""


def document() -> dict[str, Any]:
    """The document parsed, a fresh one each time."""
    return copy.deepcopy(DOCUMENT)


DOCUMENT = tomllib.loads(TEXT)
