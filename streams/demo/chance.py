"""Seeded draws that give the same bits everywhere.

They are built on ``Random.random`` alone, the one method whose sequence the standard library promises to keep.
"""

from __future__ import annotations

import math
import random


class Chance:
    """A stream of draws of one process, named so that a new process changes none of the others.

    >>> Chance(7, "btc").normal() == Chance(7, "btc").normal(), Chance(7, "btc").normal() == Chance(7, "gpu").normal()
    (True, False)
    """

    def __init__(self, seed: int, process: str) -> None:
        self._random = random.Random(f"changeover-demo:{seed}:{process}")  # noqa: S311 - a simulation, not a secret

    def happens(self, probability: float) -> bool:
        """Whether an event of this probability happens."""
        return self._random.random() < probability

    def normal(self) -> float:
        """Mean 0, standard deviation 1: twelve uniform draws less 6, so within 6 either way.

        >>> draws = [Chance(seed, "doc").normal() for seed in range(2_000)]
        >>> abs(sum(draws)) < 100.0, round(sum(x * x for x in draws) / 2_000, 1)
        (True, 1.0)
        """
        total = -6.0
        for _ in range(12):
            total += self._random.random()
        return total

    def exponential(self, mean: float) -> float:
        """Exponentially distributed with this mean, in the mean's unit."""
        return -mean * math.log(1.0 - self._random.random())


class Reverting:
    """A mean-reverting series by steps: ``x = mean + persistence * (x - mean) + innovation``.

    ``deviation`` is the standard deviation it settles at, in the unit of ``mean``; ``persistence`` is per step, 0 to 1.

    >>> still = Reverting(Chance(1, "doc"), mean=30.0, deviation=0.0, persistence=0.5)
    >>> still.value = 40.0
    >>> still.step(), still.step()
    (35.0, 32.5)
    """

    def __init__(self, chance: Chance, *, mean: float, deviation: float, persistence: float) -> None:
        self._chance = chance
        self._mean = mean
        self._persistence = persistence
        self._innovation = deviation * math.sqrt(1.0 - persistence * persistence)
        self.value = mean

    def step(self) -> float:
        """Take a step and return the new value."""
        pull = self._persistence * (self.value - self._mean)
        self.value = self._mean + pull + self._innovation * self._chance.normal()
        return self.value
