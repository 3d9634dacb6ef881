"""Drives confluent-kafka (librdkafka) in groups of the consumer protocol (KIP-848); prints what it saw as one line of JSON."""
import json
import sys
import time

from confluent_kafka import Consumer, ConsumerGroupType, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic

bootstrap, topic, group = sys.argv[1:4]
seen = {}
admin = AdminClient({"bootstrap.servers": bootstrap})
admin.create_topics([NewTopic(topic, num_partitions=4, replication_factor=1)])[topic].result(20)


def produce(prefix):
    producer = Producer({"bootstrap.servers": bootstrap})
    for index in range(100):
        producer.produce(topic, value=f"{prefix}-{index}", partition=index % 4)
    producer.flush(30)


def consumer(**config):
    return Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "group.protocol": "consumer",
            **config,
        }
    )


values = []


def poll(consumers, done):
    """Polls all of them by turns until it is done, or a minute is over."""
    deadline = time.monotonic() + 60
    while not done():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{len(values)} values, assigned {[owned(one) for one in consumers]}")
        for one in consumers:
            message = one.poll(0.1)
            if message is None:
                continue
            if message.error():
                raise KafkaException(message.error())
            values.append(message.value().decode())
            one.commit(message=message, asynchronous=False)


def owned(one):
    return sorted(partition.partition for partition in one.assignment() if partition.topic == topic)


first = consumer()
first.subscribe([topic])
poll([first], lambda: len(owned(first)) == 4)
produce("one")
poll([first], lambda: len(values) == 100)

second = consumer(**{"group.remote.assignor": "range"})
second.subscribe(["^" + topic[:-1] + ".*"])
both = [first, second]
poll(both, lambda: len(owned(first)) == 2 and len(owned(second)) == 2)
seen["shared"] = sorted(owned(first) + owned(second))
produce("two")
poll(both, lambda: len(values) == 200)

description = admin.describe_consumer_groups([group])[group].result(20)
seen["type"] = description.type.name
seen["state"] = description.state.name
seen["members"] = sorted(len(member.assignment.topic_partitions) for member in description.members)
listed = admin.list_consumer_groups(types={ConsumerGroupType.CONSUMER}).result(20)
seen["listed"] = group in [one.group_id for one in listed.valid]

first.close()
poll([second], lambda: len(owned(second)) == 4)
produce("three")
poll([second], lambda: len(values) == 300)
second.close()
seen["values"] = len(set(values))
seen["repeated"] = len(values) - len(set(values))
seen["after"] = admin.describe_consumer_groups([group])[group].result(20).state.name

invalid = consumer()
invalid.subscribe(["^(a)\\1"])
try:
    poll([invalid], lambda: False)
except KafkaException as error:
    seen["refused"] = error.args[0].str()
invalid.close()
print(json.dumps(seen))
