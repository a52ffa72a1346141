"""The log on Kafka: its topics, its producer and its reader. Broker errors stop here and come out as ours."""

from __future__ import annotations

from streams.log.backlog import Limits, QueueFullError, RecordTooLargeError, StaleTickError
from streams.log.connection import BrokerError, Capabilities, Connection, probe
from streams.log.producer import Stats, TopicProducer
from streams.log.raw import RawProducer
from streams.log.reader import RawReader, verify_log
from streams.log.topics import check_topic, create_topics, delete_topics

__all__ = [
    "BrokerError",
    "Capabilities",
    "Connection",
    "Limits",
    "QueueFullError",
    "RawProducer",
    "RawReader",
    "RecordTooLargeError",
    "StaleTickError",
    "Stats",
    "TopicProducer",
    "check_topic",
    "create_topics",
    "delete_topics",
    "probe",
    "verify_log",
]
