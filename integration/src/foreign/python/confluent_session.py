"""Drives confluent-kafka (librdkafka) against the broker in argv[1] and prints what it saw as one line of JSON."""
import json
import sys
import time

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, NewTopic, OffsetSpec

bootstrap, topic, group = sys.argv[1:4]
seen = {}

admin = AdminClient({"bootstrap.servers": bootstrap})
admin.create_topics([NewTopic(topic, num_partitions=2, replication_factor=1, config={"retention.ms": "7200000"})])[topic].result(20)
admin.create_partitions([NewPartitions(topic, 3)])[topic].result(20)
resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
seen["retention"] = admin.describe_configs([resource])[resource].result(20)["retention.ms"].value
deadline = time.monotonic() + 20
while True:  # a broker learns of new partitions after the controller has answered
    seen["partitions"] = len(admin.list_topics(topic, timeout=20).topics[topic].partitions)
    if seen["partitions"] == 3 or time.monotonic() > deadline:
        break

delivered, failed = [], []


def report(error, message):
    (failed if error else delivered).append(str(error) if error else [message.partition(), message.offset()])


for codec in ["none", "gzip", "snappy", "lz4", "zstd"]:
    producer = Producer(
        {"bootstrap.servers": bootstrap, "compression.type": codec, "linger.ms": 20, "enable.idempotence": True}
    )
    for index in range(200):
        producer.produce(
            topic,
            key=f"key {index % 5}",
            value=f"{codec} {index} {'z' * (index % 100)}",
            headers=[("codec", codec), ("none", None)],
            on_delivery=report,
        )
    producer.flush(30)
seen["delivered"] = delivered
seen["failed"] = failed


def consume(expected, protocol):
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "partition.assignment.strategy": protocol,
        }
    )
    consumer.subscribe([topic])
    messages = []
    deadline = time.monotonic() + 60
    while len(messages) < expected and time.monotonic() < deadline:
        message = consumer.poll(0.5)
        if message is None:
            continue
        if message.error():
            raise RuntimeError(message.error())
        messages.append(message)
    consumer.commit(asynchronous=False)
    assigned = sorted(partition.partition for partition in consumer.assignment())
    description = admin.describe_consumer_groups([group])[group].result(20)
    consumer.close()
    return messages, assigned, description


messages, assigned, description = consume(len(delivered), "range")
seen["consumed"] = [[m.partition(), m.offset(), m.key().decode(), m.value().decode()] for m in messages]
seen["headers"] = [[name, None if value is None else value.decode()] for name, value in messages[0].headers()]
seen["assigned"] = assigned
seen["state"] = description.state.name
seen["members"] = len(description.members)

producer = Producer({"bootstrap.servers": bootstrap})
producer.produce(topic, value="after the commit", partition=1)
producer.flush(30)
messages, _, _ = consume(1, "cooperative-sticky")
seen["continued"] = [m.value().decode() for m in messages]

offsets = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])[group].result(20)
seen["committed"] = {p.partition: p.offset for p in offsets.topic_partitions}
ends = admin.list_offsets({TopicPartition(topic, p): OffsetSpec.latest() for p in range(3)})
seen["ends"] = {tp.partition: future.result(20).offset for tp, future in ends.items()}
admin.delete_consumer_groups([group])[group].result(20)
admin.delete_topics([topic])[topic].result(20)
seen["deleted"] = topic not in admin.list_topics(timeout=20).topics
print(json.dumps(seen))
