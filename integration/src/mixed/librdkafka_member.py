"""A member of librdkafka (confluent-kafka) as a process: prints what it sees as Kafka's VerifiableConsumer does; leaves in order on SIGTERM."""
import json
import signal
import sys
import time

from confluent_kafka import Consumer, KafkaError, KafkaException

topic, config = sys.argv[1], json.loads(sys.argv[2])
stopping = False


def stop(*_):
    global stopping
    stopping = True


def show(name, **fields):
    print(json.dumps({"timestamp": int(time.time() * 1000), "name": name, **fields}), flush=True)


def show_partitions(name, partitions):
    show(name, partitions=[{"topic": one.topic, "partition": one.partition} for one in partitions])


def assigned(_, partitions):
    show_partitions("partitions_assigned", partitions)


def revoked(consumer, partitions):
    try:  # everything that poll gave us was handled before the next poll, which is what calls this
        consumer.commit(asynchronous=False)
    except KafkaException as error:
        if error.args[0].code() != KafkaError._NO_OFFSET:
            show("offsets_committed", success=False, error=error.args[0].str())
    show_partitions("partitions_revoked", partitions)


def lost(_, partitions):
    show_partitions("partitions_revoked", partitions)


signal.signal(signal.SIGTERM, stop)
consumer = Consumer({"auto.offset.reset": "earliest", **config})
show("startup_complete")
consumer.subscribe([topic], on_assign=assigned, on_revoke=revoked, on_lost=lost)
while not stopping:
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
