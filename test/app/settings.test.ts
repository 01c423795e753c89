/** A node's settings: a file for Apache Kafka starts, a slip of the finger or an unmet wish for safety does not. */
import { describe, expect, test } from "vitest";
import { nodeConfig } from "../../src/app/config.js";
import { parseProperties, propertiesOfEnvironment } from "../../src/app/properties.js";
import { readSettings, SETTING_NAMES } from "../../src/app/settings.js";

const MINIMAL = {
  "node.id": "1",
  "process.roles": "broker,controller",
  "controller.quorum.voters": "1@localhost:9093",
  "controller.listener.names": "CONTROLLER",
  listeners: "PLAINTEXT://:9092,CONTROLLER://:9093",
  "log.dirs": "data",
};
const read = (more: Readonly<Record<string, string>>) => readSettings(new Map(Object.entries({ ...MINIMAL, ...more })));
const config = (more: Readonly<Record<string, string>>, without: readonly string[] = []) => {
  const given = new Map(Object.entries({ ...MINIMAL, ...more }));
  for (const name of without) given.delete(name);
  return nodeConfig(readSettings(given).settings);
};

describe("properties", () => {
  test("comments, separators, joined lines and escapes as in Java", () => {
    const text = ["# a comment \\", "! another", "a=1", "b : 2", "c 3", "d=x\\", "   y", "e=", "f\\:g=h=i", "u=\\u0041\\t.", "  a = 4 ", "win\r"].join("\n");
    expect([...parseProperties(text)]).toEqual([["a", "4"], ["b", "2"], ["c", "3"], ["d", "xy"], ["e", ""], ["f:g", "h=i"], ["u", "A\t."], ["win", ""]]);
  });

  test("the environment: KAFKA_ names, __ for _, ___ for -, and nothing that is no setting", () => {
    const found = propertiesOfEnvironment({ KAFKA_NODE_ID: "7", KAFKA_HEAP_OPTS: "-Xmx1G", PATH: "/bin", KONTIKI_ACKS_DURABLE: "true", KAFKA_LOG_DIRS: undefined }, SETTING_NAMES);
    expect([...found]).toEqual([["node.id", "7"], ["kontiki.acks.durable", "true"]]);
    expect([...propertiesOfEnvironment({ KAFKA_A__B_C___D: "x" }, new Set(["a_b.c-d"]))]).toEqual([["a_b.c-d", "x"]]);
  });
});

describe("names and values", () => {
  test("a slip of the finger stops the start and names what was meant", () => {
    expect(() => read({ "min.insync.replica": "2" })).toThrow("did you mean min.insync.replicas?");
  });

  test("another unknown name is one warning", () => {
    expect(read({ "com.example.plugin.colour": "blue" }).warnings).toEqual(["com.example.plugin.colour: unknown setting, ignored"]);
  });

  test("every problem is told at once, one a line, passwords hidden", () => {
    expect(() => read({ "num.partitions": "many", "auto.create.topics.enable": "maybe" })).toThrow(/num\.partitions=many: must be a number\nauto\.create\.topics\.enable=maybe: must be true or false/);
    expect(() => read({ "sasl.jaas.config": "secret-word" })).toThrow(expect.not.objectContaining({ message: expect.stringContaining("secret-word") as string }));
  });

  test.each([
    { "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer" },
    { "super.users": "User:admin" },
    { "allow.everyone.if.no.acl.found": "false" },
    { "ssl.client.auth": "required" },
    { "sasl.enabled.mechanisms": "SCRAM-SHA-512" },
    { "sasl.jaas.config": "x" },
    { "listener.name.external.ssl.keystore.location": "k" },
  ])("a wish for safety that is not met stops the start: %j", (more) => {
    expect(() => read(more as Readonly<Record<string, string>>)).toThrow("not built yet");
  });

  test("the same with their harmless values is no wish", () => {
    expect(read({ "ssl.client.auth": "none", "sasl.enabled.mechanisms": "GSSAPI", "authorizer.class.name": "" }).settings.number("node.id")).toBe(1);
  });
});

describe("what a node is", () => {
  test.each([
    { "listener.security.protocol.map": "PLAINTEXT:SASL_SSL,CONTROLLER:PLAINTEXT" },
    { listeners: "SSL://:9092,CONTROLLER://:9093" },
    { "security.inter.broker.protocol": "SSL" },
    { "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:SSL" },
  ])("only PLAINTEXT is served, nothing else in the clear: %j", (more) => {
    expect(() => config(more as Readonly<Record<string, string>>)).toThrow(/not built yet/);
  });

  test("required names are asked for", () => {
    for (const name of ["node.id", "process.roles", "controller.quorum.voters", "controller.listener.names"]) expect(() => config({}, [name])).toThrow(`${name} is required`);
  });

  test("rules between settings", () => {
    expect(() => config({ "broker.id": "2" })).toThrow("node.id and broker.id differ");
    expect(() => config({ "controller.quorum.voters": "2@localhost:9093" })).toThrow("belongs in the list");
    expect(() => config({ "process.roles": "broker" })).toThrow("process.roles has no controller");
    expect(() => config({ "controller.quorum.voters": "1@a:1,1@b:2" })).toThrow("an id is given twice");
    expect(() => config({ listeners: "PLAINTEXT://:9092" })).toThrow("the controller role listens there");
    expect(() => config({ listeners: "CONTROLLER://:9093" })).toThrow("a broker needs a listener");
    expect(() => config({ listeners: "PLAINTEXT://:99999,CONTROLLER://:9093" })).toThrow("not a port");
    expect(() => config({ "advertised.listeners": "OTHER://h:1" })).toThrow("OTHER is not in listeners");
    expect(() => config({ "advertised.listeners": "PLAINTEXT://0.0.0.0:9092" })).toThrow("no address that a client can reach");
    expect(() => config({ "inter.broker.listener.name": "OTHER" })).toThrow("not among the broker's listeners");
    expect(() => config({ "log.dirs": "a,b" })).toThrow("one directory per node");
  });

  test("the file of an Apache Kafka 4.3 broker starts a node", () => {
    const { settings } = readSettings(parseProperties(KAFKA_FILE));
    const node = nodeConfig(settings);
    expect(node).toMatchObject({ nodeId: 3, roles: { broker: true, controller: true }, interBrokerListener: "INTERNAL", rack: "eu-1a", dataDirectory: "/var/lib/kafka/data" });
    expect(node.voters.map((voter) => voter.id)).toEqual([1, 2, 3]);
    expect(node.listeners.map((one) => `${one.advertised.name} ${one.advertised.host}:${one.advertised.port}`)).toEqual(["INTERNAL kafka-3.internal:9092", "EXTERNAL kafka-3.example.com:19092"]);
    expect(settings.number("log.retention.hours")).toBe(72);
  });
});

const KAFKA_FILE = `
############################# Server Basics #############################
process.roles=broker,controller
node.id=3
controller.quorum.voters=1@kafka-1:9093,2@kafka-2:9093,3@kafka-3:9093
controller.listener.names=CONTROLLER
listeners=INTERNAL://0.0.0.0:9092,EXTERNAL://0.0.0.0:19092,CONTROLLER://0.0.0.0:9093
advertised.listeners=INTERNAL://kafka-3.internal:9092,EXTERNAL://kafka-3.example.com:19092
inter.broker.listener.name=INTERNAL
listener.security.protocol.map=INTERNAL:PLAINTEXT,EXTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT
broker.rack=eu-1a
num.network.threads=3
num.io.threads=8
socket.send.buffer.bytes=102400
socket.receive.buffer.bytes=102400
socket.request.max.bytes=104857600
queued.max.requests=500
log.dirs=/var/lib/kafka/data
num.partitions=6
num.recovery.threads.per.data.dir=2
default.replication.factor=3
min.insync.replicas=2
offsets.topic.replication.factor=3
offsets.topic.num.partitions=50
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
share.coordinator.state.topic.replication.factor=3
share.coordinator.state.topic.min.isr=2
log.flush.interval.messages=10000
log.flush.interval.ms=1000
log.retention.hours=72
log.retention.bytes=1073741824
log.segment.bytes=1073741824
log.retention.check.interval.ms=300000
log.cleaner.dedupe.buffer.size=134217728
message.max.bytes=1048588
replica.fetch.max.bytes=1048576
replica.lag.time.max.ms=30000
replica.socket.timeout.ms=30000
num.replica.fetchers=2
unclean.leader.election.enable=false
auto.create.topics.enable=false
auto.leader.rebalance.enable=true
leader.imbalance.check.interval.seconds=300
delete.topic.enable=true
controlled.shutdown.enable=true
compression.type=producer
log.message.timestamp.type=CreateTime
group.initial.rebalance.delay.ms=3000
group.min.session.timeout.ms=6000
group.max.session.timeout.ms=1800000
offsets.retention.minutes=10080
connections.max.idle.ms=600000
max.connections.per.ip=1000
metadata.log.segment.bytes=1073741824
broker.heartbeat.interval.ms=2000
broker.session.timeout.ms=9000
background.threads=10
metric.reporters=
confluent.support.metrics.enable=false
`;
