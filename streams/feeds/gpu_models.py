"""Which GPU a provider means: its spelling, one of ours, nothing, or a refusal where it could be two.

An H100-hour is not one good: SXM, PCIe and NVL are different parts at different prices, as are 40 and 80 GB of A100.
A spelling is matched whole (without regard to case), never as a part of a longer one. One that is not in a provider's
table is another product and ignored; one that could mean two of ours is refused, never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping

from streams.errors import FeedError

MODELS = (
    "H100-SXM",
    "H100-PCIE",
    "H100-NVL",
    "H200-SXM",
    "H200-NVL",
    "B200-SXM",
    "B300-SXM",
    "GH200",
    "A100-SXM-80",
    "A100-SXM-40",
    "A100-PCIE-80",
    "A100-PCIE-40",
    "L40S",
    "RTX-4090",
    "RTX-5090",
    "MI300X",
)

AMBIGUOUS = "?"
"""Stands in a table for a spelling that could be two of ours."""

BY_MEMORY = "A100-SXM-*", "A100-PCIE-*"
"""Stand in a table where the provider names the memory in another field."""

A100_MEMORY_GB = {40: (38.0, 42.0), 80: (78.0, 82.0)}
"""Memory of an A100 -> what providers print for it [GB or GiB]."""

VAST = {
    "H100 SXM": "H100-SXM",
    "H100 PCIE": "H100-PCIE",
    "H100 NVL": "H100-NVL",
    "H100": AMBIGUOUS,
    "H200": "H200-SXM",  # the NVL is listed under its own name
    "H200 NVL": "H200-NVL",
    "B200": "B200-SXM",
    "B300": "B300-SXM",
    "GH200 SXM": "GH200",
    "A100 SXM4": "A100-SXM-*",
    "A100 PCIE": "A100-PCIE-*",
    "A100": AMBIGUOUS,
    "L40S": "L40S",
    "RTX 4090": "RTX-4090",
    "RTX 5090": "RTX-5090",
}
"""``gpu_name``. https://github.com/dstackai/gpuhunt (providers/vastai.py), https://docs.vast.ai/api-reference."""

RUNPOD = {
    "NVIDIA H100 80GB HBM3": "H100-SXM",
    "NVIDIA H100 PCIe": "H100-PCIE",
    "NVIDIA H100 NVL": "H100-NVL",
    "NVIDIA H200": "H200-SXM",
    "NVIDIA H200 NVL": "H200-NVL",
    "NVIDIA B200": "B200-SXM",
    "NVIDIA B300 SXM6 AC": "B300-SXM",
    "NVIDIA A100-SXM4-80GB": "A100-SXM-80",
    "NVIDIA A100-SXM4-40GB": "A100-SXM-40",
    "NVIDIA A100 80GB PCIe": "A100-PCIE-80",
    "NVIDIA L40S": "L40S",
    "NVIDIA GeForce RTX 4090": "RTX-4090",
    "NVIDIA GeForce RTX 5090": "RTX-5090",
    "AMD Instinct MI300X OAM": "MI300X",
}
"""``id``, the GPU ID of https://docs.runpod.io/references/gpu-types."""

LAMBDA = {
    "H100 (80 GB SXM5)": "H100-SXM",
    "H100 (80 GB PCIe)": "H100-PCIE",
    "H100 (80 GB)": AMBIGUOUS,
    "H200 (141 GB SXM5)": "H200-SXM",
    "B200 (180 GB SXM6)": "B200-SXM",
    "B300 (288 GB SXM6)": "B300-SXM",
    "GH200 (96 GB)": "GH200",
    "A100 (80 GB SXM4)": "A100-SXM-80",
    "A100 (40 GB SXM4)": "A100-SXM-40",
    "A100 (80 GB PCIe)": "A100-PCIE-80",
    "A100 (40 GB PCIe)": "A100-PCIE-40",
    "A100 (80 GB)": AMBIGUOUS,
    "A100 (40 GB)": AMBIGUOUS,
}
"""``gpu_description`` without "NVIDIA". https://docs.lambda.ai/public-cloud/cloud-api (instance types)."""

AKASH = {
    "h100 80gi sxm": "H100-SXM",
    "h100 80gi pcie": "H100-PCIE",
    "h100 94gi pcie": "H100-NVL",
    "h200 141gi sxm": "H200-SXM",
    "h200 141gi pcie": "H200-NVL",
    "b200 180gi sxm": "B200-SXM",
    "a100 80gi sxm": "A100-SXM-80",
    "a100 40gi sxm": "A100-SXM-40",
    "a100 80gi pcie": "A100-PCIE-80",
    "a100 40gi pcie": "A100-PCIE-40",
    "l40s 48gi pcie": "L40S",
    "rtx4090 24gi pcie": "RTX-4090",
    "rtx5090 32gi pcie": "RTX-5090",
}
"""``model ram interface``, SXM without its generation. https://github.com/akash-network/console (gpu.schema.ts)."""

PRIME_INTELLECT = {
    "H100_80GB SXM": "H100-SXM",
    "H100_80GB PCIe": "H100-PCIE",
    "H100_NVL PCIe": "H100-NVL",
    "H200_141GB SXM": "H200-SXM",
    "B200_180GB SXM": "B200-SXM",
    "B300_262GB SXM": "B300-SXM",
    "GH200_96GB SXM": "GH200",
    "A100_80GB SXM": "A100-SXM-80",
    "A100_40GB SXM": "A100-SXM-40",
    "A100_80GB PCIe": "A100-PCIE-80",
    "A100_40GB PCIe": "A100-PCIE-40",
    "L40S_48GB PCIe": "L40S",
    "RTX4090_24GB PCIe": "RTX-4090",
    "RTX5090_32GB PCIe": "RTX-5090",
}
"""``gpuType socket``, SXM without its generation. https://docs.primeintellect.ai/api-reference."""

SF_COMPUTE = {"H100": "H100-SXM", "H200": "H200-SXM", "B200": "B200-SXM"}
"""``accelerator`` of an order book: SXM nodes with InfiniBand, https://docs.sfcompute.com."""

ORNN = {
    "H100 SXM": "H100-SXM",
    "B200": "B200-SXM",
    "RTX 5090": "RTX-5090",
    "H200": AMBIGUOUS,  # SXM or NVL
    "A100 SXM4": AMBIGUOUS,  # 40 or 80 GB
}
"""``gpu_type``. https://data.ornn.com/docs."""


def model_of(table: Mapping[str, str], spelling: str, memory_gb: float | None = None) -> str | None:
    """The model of ours that a provider's spelling means; None where it is none of ours.

    ``memory_gb`` is the memory of one GPU, where another field states it and the spelling does not. Raises FeedError
    for a spelling that could mean two.

    >>> model_of(VAST, "H100 SXM"), model_of(VAST, "H100 SXM2"), model_of(VAST, "A100 SXM4", 79.6)
    ('H100-SXM', None, 'A100-SXM-80')
    >>> model_of(VAST, "H100")
    Traceback (most recent call last):
    streams.errors.FeedError: GPU 'H100' could be more than one model (form factor or memory is not said)
    """
    wanted = spelling.strip().casefold()
    found = next((model for name, model in table.items() if name.casefold() == wanted), None)
    if found in BY_MEMORY and memory_gb is not None:
        for size_gb, (low, high) in A100_MEMORY_GB.items():
            if low <= memory_gb <= high:
                return found.replace("*", str(size_gb))
    if found == AMBIGUOUS or found in BY_MEMORY:
        raise FeedError(f"GPU {spelling!r} could be more than one model (form factor or memory is not said)")
    return found


def interface(name: str) -> str:
    """A socket without its generation: of one model there is one generation.

    >>> interface("SXM5"), interface("sxm"), interface("PCIe"), interface("OAM")
    ('SXM', 'SXM', 'PCIe', 'OAM')
    """
    plain = name.strip().upper()
    if plain.rstrip("0123456789") == "SXM":
        return "SXM"
    return "PCIe" if plain == "PCIE" else name.strip()
