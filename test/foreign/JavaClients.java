// Apache Kafka's Java client with its defaults: topics, every codec, positions, groups. One line a check.

import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;
import java.util.function.*;
import java.util.stream.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.*;
import org.apache.kafka.common.serialization.*;

public class JavaClients {
  static final String BOOTSTRAP = System.getenv("KONTIKI_BOOTSTRAP");
  static final long WAIT_MS = 30_000;
  static Admin admin;

  interface Body { void run() throws Exception; }
  interface Condition { boolean holds() throws Exception; }

  /** Runs one check and prints how it went; the next runs in any case. */
  static void check(String what, Body body) {
    long began = System.nanoTime();
    try {
      body.run();
      System.out.printf("ok: java: %s (%d ms)%n", what, (System.nanoTime() - began) / 1_000_000);
    } catch (Throwable error) {
      error.printStackTrace();
      System.out.printf("FAILED: java: %s: %s%n", what, String.valueOf(error).replaceAll("\\s+", " "));
    }
  }

  static void equal(Object got, Object want) {
    if (!Objects.equals(got, want)) throw new AssertionError("wanted " + cut(want) + ", got " + cut(got));
  }

  static String cut(Object value) {
    String text = String.valueOf(value);
    return text.length() > 120 ? text.substring(0, 120) + "..." : text;
  }

  static void until(String what, Condition condition) throws Exception {
    long end = System.currentTimeMillis() + WAIT_MS;
    while (!condition.holds()) {
      if (System.currentTimeMillis() > end) throw new AssertionError("not within " + WAIT_MS + " ms: " + what);
      Thread.sleep(50);
    }
  }

  static <T> T get(KafkaFuture<T> future) throws Exception { return future.get(WAIT_MS, TimeUnit.MILLISECONDS); }

  static void refused(Class<? extends Throwable> kind, KafkaFuture<?> future) throws Exception {
    try {
      get(future);
    } catch (ExecutionException error) {
      equal(error.getCause().getClass(), kind);
      return;
    }
    throw new AssertionError("it was not refused with " + kind.getSimpleName());
  }

  static void make(String topic, int partitions) throws Exception {
    get(admin.createTopics(List.of(new NewTopic(topic, Optional.of(partitions), Optional.empty()))).all());
  }

  static KafkaProducer<String, String> producer(Map<String, Object> more) {
    Map<String, Object> settings = new HashMap<>(more);
    settings.put("bootstrap.servers", BOOTSTRAP);
    return new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer());
  }

  static KafkaConsumer<String, String> consumer(String group, Map<String, Object> more) {
    Map<String, Object> settings = new HashMap<>(Map.of("bootstrap.servers", BOOTSTRAP, "group.id", group, "auto.offset.reset", "earliest"));
    settings.putAll(more);
    return new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer());
  }

  /** Produces one record a value and waits for every answer; the offsets in the order of the values. */
  static List<Long> send(String topic, List<String> values, Integer partition, Map<String, Object> more) throws Exception {
    List<Future<RecordMetadata>> answers = new ArrayList<>();
    try (var producer = producer(more)) {
      for (String value : values) {
        var record = new ProducerRecord<>(topic, partition, "key of " + value, value);
        record.headers().add("h", value.getBytes()).add("empty", null);
        answers.add(producer.send(record));
      }
      producer.flush();
    }
    List<Long> offsets = new ArrayList<>();
    for (var answer : answers) offsets.add(answer.get(WAIT_MS, TimeUnit.MILLISECONDS).offset());
    return offsets;
  }

  static List<ConsumerRecord<String, String>> take(KafkaConsumer<String, String> reader, int count) throws Exception {
    List<ConsumerRecord<String, String>> got = new ArrayList<>();
    long end = System.currentTimeMillis() + WAIT_MS;
    while (got.size() < count) {
      if (System.currentTimeMillis() > end) throw new AssertionError(got.size() + " of " + count + " records within " + WAIT_MS + " ms");
      reader.poll(Duration.ofMillis(200)).forEach(got::add);
    }
    return got;
  }

  static List<String> values(List<ConsumerRecord<String, String>> records) { return records.stream().map(ConsumerRecord::value).toList(); }
  static List<String> numbers(int from, int to) { return IntStream.range(from, to).mapToObj(String::valueOf).toList(); }
  static <T extends Comparable<T>> List<T> sorted(Collection<T> values) { return values.stream().sorted().toList(); }

  public static void main(String[] arguments) throws Exception {
    admin = Admin.create(Map.of("bootstrap.servers", BOOTSTRAP));
    topics();
    codecs();
    positions();
    groups();
    admin.close();
    System.exit(0);
  }

  static void topics() {
    check("creates, lists, describes, extends, alters and deletes a topic", () -> {
      get(admin.createTopics(List.of(new NewTopic("java-admin", Optional.of(3), Optional.empty()).configs(Map.of("retention.ms", "1000000")))).all());
      until("it is listed", () -> get(admin.listTopics().names()).contains("java-admin"));
      var told = get(admin.describeTopics(List.of("java-admin")).allTopicNames()).get("java-admin");
      equal(told.partitions().stream().map(one -> one.partition() + ":" + one.replicas().size() + ":" + one.isr().size()).toList(), List.of("0:3:3", "1:3:3", "2:3:3"));
      equal(get(admin.describeTopics(TopicCollection.ofTopicIds(List.of(told.topicId()))).allTopicIds()).get(told.topicId()).name(), "java-admin");
      var resource = new ConfigResource(ConfigResource.Type.TOPIC, "java-admin");
      equal(get(admin.describeConfigs(List.of(resource)).all()).get(resource).get("retention.ms").value(), "1000000");
      get(admin.incrementalAlterConfigs(Map.of(resource, List.of(new AlterConfigOp(new ConfigEntry("retention.ms", "2000000"), AlterConfigOp.OpType.SET)))).all());
      until("the change is seen", () -> get(admin.describeConfigs(List.of(resource)).all()).get(resource).get("retention.ms").value().equals("2000000"));
      get(admin.createPartitions(Map.of("java-admin", NewPartitions.increaseTo(5))).all());
      until("there are five partitions", () -> get(admin.describeTopics(List.of("java-admin")).allTopicNames()).get("java-admin").partitions().size() == 5);
      get(admin.deleteTopics(List.of("java-admin")).all());
      until("it is gone", () -> !get(admin.listTopics().names()).contains("java-admin"));
    });
    check("describes the cluster, its quorum and its log folders", () -> {
      equal(get(admin.describeCluster().nodes()).size(), 3);
      var quorum = get(admin.describeMetadataQuorum().quorumInfo());
      equal(quorum.voters().size(), 3);
      equal(quorum.leaderId() >= 1 && quorum.leaderId() <= 3, true);
      equal(get(admin.describeLogDirs(List.of(1, 2, 3)).allDescriptions()).keySet(), Set.of(1, 2, 3));
    });
    check("refuses a topic that is there, one that is not, a name that is none, too many replicas", () -> {
      make("java-twice", 1);
      refused(TopicExistsException.class, admin.createTopics(List.of(new NewTopic("java-twice", 1, (short) 3))).all());
      refused(UnknownTopicOrPartitionException.class, admin.deleteTopics(List.of("java-never")).all());
      refused(InvalidTopicException.class, admin.createTopics(List.of(new NewTopic("no/topic", 1, (short) 3))).all());
      refused(InvalidReplicationFactorException.class, admin.createTopics(List.of(new NewTopic("java-many", 1, (short) 4))).all());
    });
    check("elects preferred leaders", () -> {
      make("java-elect", 3);
      var all = IntStream.range(0, 3).mapToObj(i -> new TopicPartition("java-elect", i)).collect(Collectors.toSet());
      try {
        var told = get(admin.electLeaders(ElectionType.PREFERRED, all).partitions());
        for (var error : told.values()) if (error.isPresent()) equal(error.get().getClass(), ElectionNotNeededException.class);
      } catch (ExecutionException error) {
        equal(error.getCause().getClass(), ElectionNotNeededException.class);
      }
    });
  }

  static void codecs() {
    for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
      for (String acks : List.of("all", "1", "0")) {
        check("200 records with keys and headers, " + codec + ", acks=" + acks, () -> {
          String topic = "java-" + codec + "-" + acks;
          if (acks.equals("0")) { // nobody tells a producer without acknowledgements that its topic is still being made
            make(topic, 1);
            send(topic, List.of("first"), 0, Map.of());
          }
          List<String> values = IntStream.range(0, 200).mapToObj(i -> i + " " + "abc".repeat(i % 40)).toList();
          send(topic, values, null, Map.of("compression.type", codec, "acks", acks));
          try (var reader = consumer("g-" + topic, Map.of())) {
            reader.subscribe(List.of(topic));
            var got = take(reader, acks.equals("0") ? 201 : 200).stream().filter(one -> !one.value().equals("first")).toList();
            equal(sorted(values(got)), sorted(values));
            for (var one : got) {
              equal(one.key(), "key of " + one.value());
              equal(new String(one.headers().lastHeader("h").value()), one.value());
              equal(one.headers().lastHeader("empty").value(), null);
            }
          }
        });
      }
    }
    check("20,000 records of the default producer, which is idempotent, in order", () -> {
      make("java-idempotent", 1);
      List<String> values = numbers(0, 20_000);
      List<Long> offsets = send("java-idempotent", values, 0, Map.of());
      equal(offsets, LongStream.range(0, 20_000).boxed().toList());
    });
    check("a transactional producer is refused for good, at once", () -> {
      long began = System.currentTimeMillis();
      try (var producer = producer(Map.of("transactional.id", "java-transaction", "max.block.ms", 20_000))) {
        producer.initTransactions();
        throw new AssertionError("it was accepted");
      } catch (KafkaException error) {
        equal(error instanceof RetriableException, false);
      }
      equal(System.currentTimeMillis() - began < 15_000, true);
    });
  }

  static void positions() {
    long t0 = 1_700_000_000_000L;
    var at = new TopicPartition("java-positions", 0);
    check("reads from the beginning, the end, an offset and a time", () -> {
      make("java-positions", 1);
      try (var producer = producer(Map.of())) {
        for (int i = 0; i < 100; i++) producer.send(new ProducerRecord<>("java-positions", 0, t0 + i * 1000L, null, String.valueOf(i)));
      }
      try (var reader = consumer("java-group-positions", Map.of("enable.auto.commit", false))) {
        reader.assign(List.of(at));
        reader.seekToBeginning(List.of(at));
        equal(values(take(reader, 100)), numbers(0, 100));
        reader.seek(at, 42);
        equal(values(take(reader, 58)), numbers(42, 100));
        equal(reader.offsetsForTimes(Map.of(at, t0 + 55_500)).get(at).offset(), 56L);
        equal(reader.offsetsForTimes(Map.of(at, t0 + 10_000_000)).get(at), null);
        equal(reader.beginningOffsets(List.of(at)).get(at), 0L);
        equal(reader.endOffsets(List.of(at)).get(at), 100L);
        reader.seekToEnd(List.of(at));
        equal(reader.position(at), 100L);
        send("java-positions", List.of("after"), 0, Map.of());
        equal(values(take(reader, 1)), List.of("after"));
        reader.seek(at, 1_000_000); // out of range: back to the beginning, by its reset policy
        equal(take(reader, 1).get(0).offset(), 0L);
      }
    });
    check("lists offsets as an administrator, and deletes records before one", () -> {
      equal(get(admin.listOffsets(Map.of(at, OffsetSpec.earliest())).all()).get(at).offset(), 0L);
      equal(get(admin.listOffsets(Map.of(at, OffsetSpec.forTimestamp(t0 + 10_500))).all()).get(at).offset(), 11L);
      equal(get(admin.listOffsets(Map.of(at, OffsetSpec.maxTimestamp())).all()).get(at).offset(), 100L);
      equal(get(admin.deleteRecords(Map.of(at, RecordsToDelete.beforeOffset(50))).lowWatermarks().get(at)).lowWatermark(), 50L);
      try (var reader = consumer("java-group-deleted", Map.of())) {
        reader.assign(List.of(at));
        equal(take(reader, 1).get(0).offset(), 50L);
      }
    });
  }

  /** A consumer on a thread of its own; tells what it holds and what it was handed. */
  static class Member {
    final Set<Integer> held = ConcurrentHashMap.newKeySet();
    final List<String> got = new CopyOnWriteArrayList<>();
    final AtomicInteger revoked = new AtomicInteger();
    final AtomicInteger assigned = new AtomicInteger();
    final AtomicBoolean stop = new AtomicBoolean();
    final AtomicReference<Exception> fault = new AtomicReference<>();
    final Thread thread;

    Member(String group, String topic, Map<String, Object> more) {
      Map<String, Object> settings = new HashMap<>(Map.of("session.timeout.ms", 6000, "heartbeat.interval.ms", 200));
      settings.putAll(more);
      var reader = consumer(group, settings);
      reader.subscribe(List.of(topic), new ConsumerRebalanceListener() {
        public void onPartitionsAssigned(Collection<TopicPartition> given) {
          if (!given.isEmpty()) assigned.incrementAndGet();
          for (var one : given) held.add(one.partition());
        }
        public void onPartitionsRevoked(Collection<TopicPartition> taken) {
          revoked.addAndGet(taken.size());
          for (var one : taken) held.remove(one.partition());
        }
      });
      thread = new Thread(() -> {
        try (reader) {
          while (!stop.get()) reader.poll(Duration.ofMillis(100)).forEach(one -> got.add(one.value()));
        } catch (Exception error) {
          fault.set(error);
        }
      });
      thread.start();
    }

    void close() throws Exception {
      stop.set(true);
      thread.join(WAIT_MS);
      if (fault.get() != null) throw fault.get();
    }
  }

  static void share(String name, Class<?> assignor, int revokedByJoin) throws Exception {
    String topic = "java-" + name;
    String group = "java-group-" + name;
    make(topic, 4);
    Map<String, Object> settings = Map.of("partition.assignment.strategy", assignor.getName());
    List<Member> members = new ArrayList<>();
    List<String> sent = new ArrayList<>();
    java.util.function.Consumer<String> fill = round -> {
      for (int partition = 0; partition < 4; partition++) {
        int number = partition;
        List<String> values = IntStream.range(0, 10).mapToObj(i -> round + " " + number + " " + i).toList();
        sent.addAll(values);
        try {
          send(topic, values, partition, Map.of());
        } catch (Exception error) {
          throw new AssertionError(error);
        }
      }
    };
    try {
      var first = new Member(group, topic, settings);
      members.add(first);
      until("the first holds all", () -> first.held.size() == 4);
      fill.accept("alone");
      until("the first reads all", () -> first.got.size() >= 40);
      var second = new Member(group, topic, settings);
      members.add(second);
      until("each holds two", () -> first.held.size() == 2 && second.held.size() == 2 && Collections.disjoint(first.held, second.held));
      equal(first.revoked.get(), revokedByJoin);
      fill.accept("two");
      until("they read all between them", () -> first.got.size() + second.got.size() >= 80);
      first.close();
      until("the second holds all", () -> second.held.size() == 4);
      fill.accept("other");
      until("the second reads the rest", () -> first.got.size() + second.got.size() >= 120);
      second.close();
      equal(sorted(Stream.concat(first.got.stream(), second.got.stream()).toList()), sorted(sent));
    } finally {
      for (var member : members) member.close();
    }
    var offsets = get(admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata());
    equal(offsets.values().stream().map(OffsetAndMetadata::offset).toList(), List.of(30L, 30L, 30L, 30L));
  }

  static void groups() {
    check("a group of two by range shares, takes over, and commits", () -> share("range", RangeAssignor.class, 4));
    check("a group of two by cooperative-sticky shares, takes over, and commits", () -> share("cooperative", CooperativeStickyAssignor.class, 2));
    check("a static member comes back to its partitions without a rebalance", () -> {
      make("java-static", 4);
      Member one = null;
      Member two = null;
      try {
        var first = one = new Member("java-group-static", "java-static", Map.of("group.instance.id", "one"));
        var second = two = new Member("java-group-static", "java-static", Map.of("group.instance.id", "two"));
        until("each holds two", () -> first.held.size() == 2 && second.held.size() == 2);
        Set<Integer> held = Set.copyOf(second.held);
        int assigned = first.assigned.get();
        int revoked = first.revoked.get();
        second.close();
        var again = two = new Member("java-group-static", "java-static", Map.of("group.instance.id", "two"));
        until("it is back with the same", () -> again.held.equals(held));
        equal(List.of(first.assigned.get(), first.revoked.get()), List.of(assigned, revoked));
      } finally {
        if (one != null) one.close();
        if (two != null) two.close();
      }
      get(admin.removeMembersFromConsumerGroup("java-group-static", new RemoveMembersFromConsumerGroupOptions(List.of(new MemberToRemove("one"), new MemberToRemove("two")))).all());
      until("the group is empty", () -> get(admin.describeConsumerGroups(List.of("java-group-static")).all()).get("java-group-static").members().isEmpty());
    });
    check("commits and fetches offsets, lists, describes, alters and deletes groups", () -> {
      String group = "java-group-commits";
      var at = new TopicPartition("java-commits", 1);
      make("java-commits", 2);
      send("java-commits", numbers(0, 20), 1, Map.of());
      try (var reader = consumer(group, Map.of("enable.auto.commit", false))) {
        reader.subscribe(List.of("java-commits"));
        take(reader, 20);
        reader.commitSync(Map.of(at, new OffsetAndMetadata(7, "half-way")));
        equal(reader.committed(Set.of(at)).get(at), new OffsetAndMetadata(7, "half-way"));
        var told = get(admin.describeConsumerGroups(List.of(group)).all()).get(group);
        equal(told.groupState() + " " + told.members().size() + " " + told.members().iterator().next().assignment().topicPartitions().size(), GroupState.STABLE + " 1 2");
        refused(GroupNotEmptyException.class, admin.deleteConsumerGroups(List.of(group)).all());
        refused(GroupSubscribedToTopicException.class, admin.deleteConsumerGroupOffsets(group, Set.of(at)).all());
      }
      equal(get(admin.listGroups().all()).stream().filter(one -> one.groupId().equals(group)).map(one -> one.groupState().get()).toList(), List.of(GroupState.EMPTY));
      equal(get(admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata()).get(at).offset(), 7L);
      get(admin.alterConsumerGroupOffsets(group, Map.of(at, new OffsetAndMetadata(15))).all());
      try (var reader = consumer(group, Map.of("enable.auto.commit", false))) {
        reader.subscribe(List.of("java-commits"));
        equal(values(take(reader, 5)), numbers(15, 20));
      }
      get(admin.deleteConsumerGroupOffsets(group, Set.of(at)).all());
      equal(get(admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata()).containsKey(at), false);
      get(admin.deleteConsumerGroups(List.of(group)).all());
      equal(get(admin.listGroups().all()).stream().anyMatch(one -> one.groupId().equals(group)), false);
    });
  }
}
