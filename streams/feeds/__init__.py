"""Sources of the raw log: the contract of a feed and one file for each source.

Law of this package: a feed touches its source and the appender it is given, nothing else of this project's shell.
"""
