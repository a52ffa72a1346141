"""Power rules: what a program, a tariff or a market adds to the price of a MWh, or forbids, and from when.

:mod:`models.power_rules.contract` is what a rule must answer, :mod:`models.power_rules.register` the rules that exist.
Contract kinds (spot, PPA, take-or-pay, hedges) are no rules: they shape the price itself (:mod:`models.power`).

To add a rule: a file here with a document, ``fill``, a compiled ``effect`` and ``words``; a line in ``KINDS`` and in
``Rules`` and a branch in ``answer`` of the register; examples for the conformance test, run over it.
"""
