"""Drives kafka-python against the broker in argv[1] and prints what it saw as one line of JSON."""
import json
import sys
import time

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewPartitions, NewTopic

bootstrap, topic, group = sys.argv[1:4]
seen = {}

admin = KafkaAdminClient(bootstrap_servers=bootstrap)
admin.create_topics([NewTopic(name=topic, num_partitions=2, replication_factor=1)])
admin.create_partitions({topic: NewPartitions(total_count=3)})
seen["topics"] = topic in admin.list_topics()

produced = []
for codec in [None, "gzip", "snappy", "lz4", "zstd"]:
    producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all", compression_type=codec, linger_ms=20)
    futures = [
        producer.send(
            topic,
            key=f"key {index % 5}".encode(),
            value=f"{codec} {index} {'y' * (index % 100)}".encode(),
            headers=[("codec", str(codec).encode()), ("codec", b"again")],
        )
        for index in range(200)
    ]
    producer.flush()
    produced += [[future.get(10).partition, future.get(10).offset] for future in futures]
    producer.close()
seen["produced"] = produced


def consume(expected, **options):
    consumer = KafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        **options,
    )
    records = []
    deadline = time.monotonic() + 60
    while len(records) < expected and time.monotonic() < deadline:
        for batch in consumer.poll(timeout_ms=500).values():
            records += batch
    consumer.commit()
    committed = {partition: consumer.committed(TopicPartition(topic, partition)) for partition in range(3)}
    assigned = sorted(partition.partition for partition in consumer.assignment())
    consumer.close()
    return records, committed, assigned


records, committed, assigned = consume(len(produced))
seen["consumed"] = [[r.partition, r.offset, r.key.decode(), r.value.decode()] for r in records]
seen["headers"] = sorted({(name, value.decode()) for r in records for name, value in r.headers})
seen["committed"] = committed
seen["assigned"] = assigned

producer = KafkaProducer(bootstrap_servers=bootstrap)
producer.send(topic, value=b"after the commit", partition=1).get(10)
producer.close()
records, _, _ = consume(1)
seen["continued"] = [r.value.decode() for r in records]

tp = TopicPartition(topic, 1)
consumer = KafkaConsumer(bootstrap_servers=bootstrap)
seen["beginning"] = consumer.beginning_offsets([tp])[tp]
seen["end"] = consumer.end_offsets([tp])[tp]
consumer.close()
print(json.dumps(seen))
