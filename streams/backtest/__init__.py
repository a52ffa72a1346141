"""Backtests: history with a stated lag through the one pipeline, and what each policy's modes were worth."""

from streams.backtest.compare import Ask, Comparison, Result, compare, known_names
from streams.backtest.lagged import lagged
from streams.backtest.score import Figures, LoadFigures
from streams.backtest.trial import Trial

__all__ = ["Ask", "Comparison", "Figures", "LoadFigures", "Result", "Trial", "compare", "known_names", "lagged"]
