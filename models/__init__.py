"""The core: everything that decides.

Law of this package: standard library, numpy and numba only; no I/O, no clock, no environment, no chance, no
logging. Given the same records in the same order it returns the same signals, to the bit, on every machine.
"""
