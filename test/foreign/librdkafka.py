"""librdkafka with its defaults, through confluent-kafka: topics, every codec, positions, groups. One line a check."""
import os
import threading
import time
import traceback

from confluent_kafka import (
    Consumer, ConsumerGroupTopicPartitions, IsolationLevel, KafkaError, KafkaException, Producer, TopicCollection, TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic, OffsetSpec, ResourceType,
)

BOOTSTRAP = os.environ["KONTIKI_BOOTSTRAP"]
WAIT = 30  # seconds, for anything that the cluster has to bring about
admin = AdminClient({"bootstrap.servers": BOOTSTRAP})


def check(what):
    """Runs a function at once and prints how it went; the next check runs in any case."""
    def run(body):
        began = time.monotonic()
        try:
            body()
            print(f"ok: librdkafka: {what} ({round((time.monotonic() - began) * 1000)} ms)", flush=True)
        except Exception as error:
            traceback.print_exc()
            print(f"FAILED: librdkafka: {what}: {str(error)[:300]!r}", flush=True)
    return run


def equal(got, want):
    if got != want:
        raise AssertionError(f"wanted {str(want)[:120]}, got {str(got)[:120]}")


def until(what, holds, step=lambda: time.sleep(0.05)):
    end = time.monotonic() + WAIT
    while not holds():
        if time.monotonic() > end:
            raise AssertionError(f"not within {WAIT} s: {what}")
        step()


def make(topic, partitions=1, config=None):
    admin.create_topics([NewTopic(topic, num_partitions=partitions, config=config or {})])[topic].result(WAIT)


def send(topic, values, partition=-1, **config):
    """Produces and waits for every report; returns offsets by value."""
    producer = Producer({"bootstrap.servers": BOOTSTRAP, **{name.replace("_", "."): value for name, value in config.items()}})
    offsets, faults = {}, []
    def told(error, message):
        if error is not None:
            faults.append(error)
        else:
            offsets[message.value().decode()] = message.offset()
    for value in values:
        producer.produce(topic, value=value, key=f"key of {value}", headers=[("h", value.encode()), ("empty", None)], partition=partition, on_delivery=told)
        producer.poll(0)
    equal(producer.flush(WAIT), 0)
    equal(faults, [])
    return offsets


def consumer(group, **config):
    return Consumer({"bootstrap.servers": BOOTSTRAP, "group.id": group, "auto.offset.reset": "earliest", "fetch.wait.max.ms": 200, **{name.replace("_", "."): value for name, value in config.items()}})


def take(reader, count):
    got = []
    def more():
        message = reader.poll(0.5)
        if message is None:
            return
        if message.error():
            if message.error().code() == KafkaError.UNKNOWN_TOPIC_OR_PART or message.error().retriable():
                return
            raise KafkaException(message.error())
        got.append(message)
    until(f"{count} records", lambda: len(got) >= count, more)
    return got


def read_from(topic, count, offset, partition=0):
    reader = consumer("positions", enable_auto_commit=False)
    reader.assign([TopicPartition(topic, partition, offset)])
    try:
        return [message.value().decode() for message in take(reader, count)]
    finally:
        reader.close()


# ---- topics and settings

@check("creates, lists, describes, extends, alters and deletes a topic")
def _():
    make("py-admin", 3, {"retention.ms": "1000000"})
    until("it is listed", lambda: "py-admin" in admin.list_topics(timeout=WAIT).topics)
    partitions = admin.list_topics("py-admin", timeout=WAIT).topics["py-admin"].partitions
    equal(sorted((one.id, sorted(one.isrs)) for one in partitions.values()), [(i, [1, 2, 3]) for i in range(3)])
    described = admin.describe_topics(TopicCollection(["py-admin"]))["py-admin"].result(WAIT)
    equal(sorted((one.id, len(one.replicas)) for one in described.partitions), [(i, 3) for i in range(3)])
    resource = ConfigResource(ResourceType.TOPIC, "py-admin")
    equal(admin.describe_configs([resource])[resource].result(WAIT)["retention.ms"].value, "1000000")
    change = ConfigResource(ResourceType.TOPIC, "py-admin", incremental_configs=[ConfigEntry("retention.ms", "2000000", incremental_operation=AlterConfigOpType.SET)])
    admin.incremental_alter_configs([change])[change].result(WAIT)
    until("the change is seen", lambda: admin.describe_configs([resource])[resource].result(WAIT)["retention.ms"].value == "2000000")
    admin.create_partitions([NewPartitions("py-admin", 5)])["py-admin"].result(WAIT)
    until("there are five partitions", lambda: len(admin.list_topics("py-admin", timeout=WAIT).topics["py-admin"].partitions) == 5)
    admin.delete_topics(["py-admin"])["py-admin"].result(WAIT)
    until("it is gone", lambda: "py-admin" not in admin.list_topics(timeout=WAIT).topics)


@check("describes the cluster")
def _():
    told = admin.describe_cluster().result(WAIT)
    equal(sorted(node.id for node in told.nodes), [1, 2, 3])
    equal(told.controller.id in (1, 2, 3), True)


@check("a topic that is there is refused as such, an unknown one too")
def _():
    make("py-twice")
    for future, code in (
        (admin.create_topics([NewTopic("py-twice", 1)])["py-twice"], KafkaError.TOPIC_ALREADY_EXISTS),
        (admin.delete_topics(["py-never"])["py-never"], KafkaError.UNKNOWN_TOPIC_OR_PART),
    ):
        try:
            future.result(WAIT)
            raise AssertionError("it was not refused")
        except KafkaException as error:
            equal(error.args[0].code(), code)


# ---- every codec with every kind of acknowledgement; the topic is made by the first use

for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
    for acks in ("all", "1", "0"):
        @check(f"200 records with keys and headers, {codec}, acks={acks}")
        def _():
            topic = f"py-{codec}-{acks}"
            if acks == "0":
                make(topic)  # nobody tells a producer without acknowledgements that its topic is still being made
                send(topic, ["first"], partition=0)
            values = [f"{i} {'abc' * (i % 40)}" for i in range(200)]
            send(topic, values, compression_type=codec, acks=acks)
            reader = consumer(f"g-{topic}")
            reader.subscribe([topic])
            got = [one for one in take(reader, 201 if acks == "0" else 200) if one.value() != b"first"]
            reader.close()
            equal(sorted(one.value().decode() for one in got), sorted(values))
            equal([one for one in got if one.key().decode() != f"key of {one.value().decode()}" or one.headers() != [("h", one.value()), ("empty", None)]], [])


@check("an idempotent producer of 20,000 records in order")
def _():
    make("py-idempotent", 1)
    values = [str(i) for i in range(20_000)]
    offsets = send("py-idempotent", values, enable_idempotence=True, linger_ms=1)
    equal([offsets[value] for value in values], list(range(20_000)))
    equal(read_from("py-idempotent", 20_000, 0), values)


@check("transactions are refused for good, at once")
def _():
    began = time.monotonic()
    try:
        Producer({"bootstrap.servers": BOOTSTRAP, "transactional.id": "py-transaction"}).init_transactions(20)
        raise AssertionError("they were accepted")
    except KafkaException as error:
        equal(error.args[0].retriable(), False)
    equal(time.monotonic() - began < 15, True)


# ---- positions

T0 = 1_700_000_000_000


@check("reads from the beginning, the end, an offset and a time")
def _():
    make("py-positions", 1)
    producer = Producer({"bootstrap.servers": BOOTSTRAP})
    for i in range(100):
        producer.produce("py-positions", value=str(i), partition=0, timestamp=T0 + i * 1000)
    equal(producer.flush(WAIT), 0)
    equal(read_from("py-positions", 100, -2), [str(i) for i in range(100)])
    equal(read_from("py-positions", 3, 42)[:3], ["42", "43", "44"])
    reader = consumer("positions")
    equal(reader.offsets_for_times([TopicPartition("py-positions", 0, T0 + 55_500)], timeout=WAIT)[0].offset, 56)
    equal(reader.get_watermark_offsets(TopicPartition("py-positions", 0), timeout=WAIT), (0, 100))
    reader.close()
    latest = consumer("py-group-latest", auto_offset_reset="latest")
    held, got = [], []
    latest.subscribe(["py-positions"], on_assign=lambda _, partitions: held.extend(partitions))
    until("it has joined", lambda: held != [], lambda: got.extend(filter(None, [latest.poll(0.1)])))
    # It says nowhere that it has found the end, so records come until it has; none from before its start may be among what it gets.
    until("it reads what came after", lambda: got != [], lambda: (send("py-positions", ["after"], partition=0), got.extend(filter(None, [latest.poll(0.3)]))))
    equal({one.value() for one in got}, {b"after"})
    latest.close()


@check("lists offsets as an administrator, and deletes records before one")
def _():
    at = TopicPartition("py-positions", 0)
    equal(admin.list_offsets({at: OffsetSpec.earliest()}, isolation_level=IsolationLevel.READ_UNCOMMITTED)[at].result(WAIT).offset, 0)
    equal(admin.list_offsets({at: OffsetSpec.for_timestamp(T0 + 10_500)})[at].result(WAIT).offset, 11)
    equal(admin.list_offsets({at: OffsetSpec.max_timestamp()})[at].result(WAIT).offset >= 99, True)
    admin.delete_records([TopicPartition("py-positions", 0, 50)])
    until("the log starts at 50", lambda: admin.list_offsets({at: OffsetSpec.earliest()})[at].result(WAIT).offset == 50)
    equal(read_from("py-positions", 1, -2)[0], "50")


# ---- groups

class Member:
    """A consumer on a thread of its own; tells what it holds and what it was handed."""

    def __init__(self, group, topic, **config):
        self.got, self.revoked, self.assigned, self.fault = [], 0, 0, None
        self.held = set()
        self.cooperative = config.get("partition_assignment_strategy") == "cooperative-sticky"
        self.reader = consumer(group, session_timeout_ms=6000, heartbeat_interval_ms=200, **config)
        self.reader.subscribe([topic], on_assign=self.take, on_revoke=self.give, on_lost=self.give)
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def take(self, _, partitions):
        self.assigned += 1
        new = {one.partition for one in partitions}
        self.held = self.held | new if self.cooperative else new

    def give(self, _, partitions):
        self.revoked += len(partitions)
        self.held = self.held - {one.partition for one in partitions}

    def run(self):
        try:
            while not self.stop.is_set():
                message = self.reader.poll(0.1)
                if message is not None and not message.error():
                    self.got.append(message.value().decode())
            self.reader.close()
        except Exception as error:
            self.fault = error

    def close(self):
        self.stop.set()
        self.thread.join(WAIT)
        if self.fault is not None:
            raise self.fault


def share(strategy):
    topic, group = f"py-{strategy}", f"py-group-{strategy}"
    make(topic, 4)
    members = []
    def fill(name):
        for partition in range(4):
            send(topic, [f"{name} {partition} {i}" for i in range(10)], partition=partition)
    def wanted(*names):
        return sorted(f"{name} {partition} {i}" for name in names for partition in range(4) for i in range(10))
    try:
        first = Member(group, topic, partition_assignment_strategy=strategy)
        members.append(first)
        until("the first holds all", lambda: len(first.held) == 4)
        fill("alone")
        until("the first reads all", lambda: len(first.got) >= 40)
        second = Member(group, topic, partition_assignment_strategy=strategy)
        members.append(second)
        until("each holds two", lambda: len(first.held) == 2 and len(second.held) == 2 and not first.held & second.held)
        equal(first.revoked, 2 if strategy == "cooperative-sticky" else 4)
        fill("two")
        until("they read all between them", lambda: len(first.got) + len(second.got) >= 80)
        first.close()
        until("the second holds all", lambda: len(second.held) == 4)
        fill("other")
        until("the second reads the rest", lambda: len(first.got) + len(second.got) >= 120)
        equal(sorted(first.got + second.got), wanted("alone", "other", "two"))
    finally:
        for member in members:
            member.close()
    reader = consumer(group)
    equal(sorted(one.offset for one in reader.committed([TopicPartition(topic, i) for i in range(4)], timeout=WAIT)), [30] * 4)
    reader.close()


for strategy in ("range", "roundrobin", "cooperative-sticky"):
    @check(f"a group of two by {strategy} shares, takes over, and commits")
    def _():
        share(strategy)


@check("a static member comes back to its partitions without a rebalance")
def _():
    make("py-static", 4)
    one = Member("py-group-static", "py-static", group_instance_id="one")
    two = Member("py-group-static", "py-static", group_instance_id="two")
    try:
        until("each holds two", lambda: len(one.held) == 2 and len(two.held) == 2)
        held, assigned, revoked = set(two.held), one.assigned, one.revoked
        two.close()
        two = Member("py-group-static", "py-static", group_instance_id="two")
        until("it is back with the same", lambda: two.held == held)
        equal((one.assigned, one.revoked), (assigned, revoked))
    finally:
        one.close()
        two.close()


@check("commits and fetches offsets, lists, describes, alters and deletes groups")
def _():
    make("py-commits", 2)
    send("py-commits", [str(i) for i in range(20)], partition=1)
    reader = consumer("py-group-commits", enable_auto_commit=False)
    reader.subscribe(["py-commits"])
    take(reader, 20)
    reader.commit(offsets=[TopicPartition("py-commits", 1, 7, metadata="half-way")], asynchronous=False)
    equal([(one.offset, one.metadata) for one in reader.committed([TopicPartition("py-commits", 1)], timeout=WAIT)], [(7, "half-way")])
    described = admin.describe_consumer_groups(["py-group-commits"])["py-group-commits"].result(WAIT)
    equal((described.state.name, len(described.members), len(described.members[0].assignment.topic_partitions)), ("STABLE", 1, 2))
    try:
        admin.delete_consumer_groups(["py-group-commits"])["py-group-commits"].result(WAIT)
        raise AssertionError("a group with a member was deleted")
    except KafkaException as error:
        equal(error.args[0].code(), KafkaError.NON_EMPTY_GROUP)
    reader.close()
    listed = {one.group_id: one for one in admin.list_consumer_groups().result(WAIT).valid}
    equal(listed["py-group-commits"].state.name, "EMPTY")
    fetched = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions("py-group-commits")])["py-group-commits"].result(WAIT)
    equal([(one.partition, one.offset) for one in fetched.topic_partitions if one.offset >= 0], [(1, 7)])
    admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions("py-group-commits", [TopicPartition("py-commits", 1, 15)])])["py-group-commits"].result(WAIT)
    again = consumer("py-group-commits", enable_auto_commit=False)
    again.subscribe(["py-commits"])
    equal([one.value().decode() for one in take(again, 5)], ["15", "16", "17", "18", "19"])
    again.close()
    admin.delete_consumer_groups(["py-group-commits"])["py-group-commits"].result(WAIT)
    equal("py-group-commits" in {one.group_id for one in admin.list_consumer_groups().result(WAIT).valid}, False)

