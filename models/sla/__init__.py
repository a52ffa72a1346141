"""Service levels: what a stop of AI costs under a contract, and where a month's downtime is worth spending.

:mod:`models.sla.terms` is the document, :mod:`models.sla.downtime` the month so far, :mod:`models.sla.credits` the
money, :mod:`models.sla.budget` the shadow price of the minutes that are left.
"""
