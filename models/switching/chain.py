"""Switching on a chain of finitely many states, by dynamic programming: an exact check of rules for continuous ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.switching.roots import Floats, NoFitError


@dataclass(frozen=True, slots=True)
class Chain:
    """Best values [mode, state] and the mode to take there, decided before the state's reward is earned."""

    value: Floats
    choice: np.typing.NDArray[np.int64]


def solve(
    rewards: Floats,
    transitions: Floats,
    costs: Floats,
    discount: float,
    tolerance: float = 1e-12,
    steps: int = 100_000,
) -> Chain:
    """Best switching by value iteration.

    ``V[i, x] = max_j (-costs[i, j] + rewards[j, x] + beta sum_y P[x, y] V[j, y])``; ``rewards`` [mode, state],
    ``transitions`` [state, state] with rows that sum to 1, ``costs`` [from, to]. Ends when no value can be further than
    ``tolerance`` from the answer (the contraction says so); a tie keeps the mode.

    Raises:
        ValueError: shapes or probabilities that describe no chain.
        NoFitError: the tolerance is not reached in ``steps`` steps.

    >>> both = solve(np.array([[0.0], [1.0]]), np.array([[1.0]]), np.array([[0.0, 2.0], [2.0, 0.0]]), 0.5)
    >>> [round(float(value), 9) for value in both.value[:, 0]], both.choice[:, 0].tolist()
    ([0.0, 2.0], [0, 1])
    """
    modes, states = rewards.shape
    sums = transitions.sum(axis=1)
    if transitions.shape != (states, states) or costs.shape != (modes, modes) or not 0.0 <= discount < 1.0:
        raise ValueError(
            f"shapes {rewards.shape}, {transitions.shape}, {costs.shape} or discount {discount!r} fit no chain"
        )
    if np.any(transitions < 0.0) or np.any(np.abs(sums - 1.0) > 1e-12):
        raise ValueError("each row of transitions must be probabilities that sum to 1")
    kept = np.eye(modes, dtype=bool)[:, :, None]
    value = np.zeros_like(rewards)
    for _ in range(steps):
        offered = -costs[:, :, None] + (rewards + discount * value @ transitions.T)[None, :, :]
        better = offered.max(axis=1)
        moved = float(np.max(np.abs(better - value)))
        value = better
        if moved * discount <= tolerance * (1.0 - discount):
            stays = np.where(kept, offered, -np.inf).max(axis=1)
            return Chain(value, np.where(stays >= better, np.arange(modes)[:, None], offered.argmax(axis=1)))
    raise NoFitError(f"values still move after {steps} steps at discount {discount!r}")
