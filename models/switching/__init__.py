"""Fits of optimal switching: what a history says of a margin, and the band it implies. Nothing that decides imports it.

Here scipy, exp and log are allowed: a fit enters the log as a record, and a decision takes it from there.
"""
