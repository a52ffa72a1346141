"""The shell: everything that touches the world (Kafka, Redis, files, terminals, clocks).

Law of this package: it carries records to the core and signals from it; it never decides.
"""
