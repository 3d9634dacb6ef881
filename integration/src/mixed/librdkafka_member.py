"""A member of librdkafka (confluent-kafka) as a process: prints what it sees as Kafka's VerifiableConsumer does; leaves in order on SIGTERM.

It commits by itself, and waits for each commit. librdkafka's timer goes on to make commits while the broker is away, and keeps them all
(rd_kafka_cgrp_defer_offset_commit); those that were on their way when it went, or that come back with COORDINATOR_LOAD_IN_PROGRESS, are sent again later as they are
(rd_kafka_handle_OffsetCommit, rd_kafka_broker_buf_retry), behind newer ones that took their places: what is committed goes back.
"""
import json
import signal
import sys
import time

from confluent_kafka import Consumer, KafkaError, KafkaException

topic, config, commit_interval_ms = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3])
stopping = False
# In a row. While a broker is away each takes as long as a request may.
FAILURES_MAX = 300
failures = 0


def stop(*_):
    global stopping
    stopping = True


def show(name, **fields):
    print(json.dumps({"timestamp": int(time.time() * 1000), "name": name, **fields}), flush=True)


def show_partitions(name, partitions):
    show(name, partitions=[{"topic": one.topic, "partition": one.partition} for one in partitions])


def commit(consumer):
    """Everything that poll gave us was handled before the next poll, so this is asked for around polls only."""
    global failures
    try:
        consumer.commit(asynchronous=False)
        failures = 0
    except KafkaException as error:
        if error.args[0].code() == KafkaError._NO_OFFSET:
            return
        failures += 1
        show("offsets_committed", success=False, error=error.args[0].str())
        if failures == FAILURES_MAX:
            sys.exit("it never commits")


def assigned(_, partitions):
    show_partitions("partitions_assigned", partitions)


def revoked(consumer, partitions):
    commit(consumer)
    show_partitions("partitions_revoked", partitions)


def lost(_, partitions):
    show_partitions("partitions_revoked", partitions)


signal.signal(signal.SIGTERM, stop)
consumer = Consumer({"auto.offset.reset": "earliest", **config})
show("startup_complete")
consumer.subscribe([topic], on_assign=assigned, on_revoke=revoked, on_lost=lost)
committed_at = time.monotonic()
while not stopping:
    if (time.monotonic() - committed_at) * 1000 >= commit_interval_ms:
        commit(consumer)
        committed_at = time.monotonic()
    message = consumer.poll(0.1)
    if message is None:
        continue
    if message.error():
        # librdkafka goes on by itself after what is not fatal
        show("error", error=message.error().str())
        if message.error().fatal() or message.error().code() == KafkaError._FATAL:
            sys.exit(1)
        continue
    key = message.key()
    show(
        "record_data",
        topic=message.topic(),
        partition=message.partition(),
        offset=message.offset(),
        key=None if key is None else key.decode(),
        value=message.value().decode(),
    )
consumer.close()
show("shutdown_complete")
