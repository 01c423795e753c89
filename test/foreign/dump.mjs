// For dump.sh. `write FILE`: fills topics of several shapes and notes where every partition of the cluster ends. `read FILE NODE`: compares what Kafka's dump
// tool said (on standard input) with that, one line a check.
import { readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import kafkajs from "kafkajs";

const { CompressionTypes, Kafka, logLevel, Partitioners } = kafkajs;
const [command, file, node] = process.argv.slice(2);
if (command === "write") await write();
else await read();

async function write() {
  const kafka = new Kafka({ brokers: process.env.KONTIKI_BOOTSTRAP.split(","), logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  const shapes = { plain: [], gzip: [], rolled: [{ name: "segment.bytes", value: "1048576" }] };
  await admin.createTopics({ topics: Object.entries(shapes).map(([shape, configEntries]) => ({ topic: `dumped-${shape}`, numPartitions: 2, configEntries })), waitForLeaders: true });
  const producer = kafka.producer({ idempotent: true, createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  for (const shape of Object.keys(shapes)) {
    for (let batch = 0; batch < 15; batch++) {
      const messages = Array.from({ length: 400 }, (_, i) => ({ key: `key ${batch} ${i}`, value: `${batch} ${i} ${"x".repeat(shape === "rolled" ? 500 : 50)}`, headers: { h: "v" } }));
      await producer.send({ topic: `dumped-${shape}`, acks: -1, compression: shape === "gzip" ? CompressionTypes.GZIP : CompressionTypes.None, messages });
    }
  }
  await producer.disconnect();
  const consumer = kafka.consumer({ groupId: "dumped-group" });
  await consumer.connect();
  await consumer.subscribe({ topic: "dumped-plain", fromBeginning: true });
  let got = 0;
  await new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error("the records did not come")), 30_000).unref();
    void consumer.run({ eachMessage: async () => void (++got === 6000 && resolve()) });
  });
  await consumer.disconnect();
  const ends = {};
  for (const topic of await admin.listTopics()) {
    for (const { partition, high } of await admin.fetchTopicOffsets(topic)) ends[`${topic}-${partition}`] = Number(high);
  }
  await admin.disconnect();
  writeFileSync(file, JSON.stringify(ends));
}

async function read() {
  const ends = JSON.parse(readFileSync(file, "utf8"));
  const seen = new Map(); // by partition: the first offset, how many records, the end, how many segments
  const faults = [];
  const tally = { batches: 0, records: 0, segments: 0, index: 0, timeindex: 0, snapshot: 0, producers: 0, groups: 0 };
  let folder = "";
  let kind = "";
  let base = NaN;
  for await (const line of createInterface({ input: process.stdin })) {
    const opened = /^Dumping .*\/([^/]+)\/([^/]+)\.(log|index|timeindex|snapshot)$/.exec(line);
    if (opened !== null) {
      [, folder, , kind] = opened;
      if (kind === "log") tally.segments += 1;
      continue;
    }
    const batch = /^baseOffset: (\d+) lastOffset: (\d+) count: (\d+) .* isvalid: (\w+)/.exec(line);
    if (batch !== null) {
      const one = seen.get(folder) ?? { first: Number(batch[1]), records: 0, batches: 0, end: Number(batch[1]) };
      if (batch[4] !== "true") faults.push(`${folder}: ${line}`);
      if (Number(batch[1]) !== one.end) faults.push(`${folder}: a gap before ${batch[1]}`);
      one.end = Number(batch[2]) + 1;
      one.batches += 1;
      tally.batches += 1;
      seen.set(folder, one);
    } else if (/^\| offset: \d+/.test(line)) {
      seen.get(folder).records += 1;
      tally.records += 1;
      if (line.includes("dumped-group")) tally.groups += 1;
    } else if ((kind === "index" && /^offset: \d+ position: \d+$/.test(line)) || (kind === "timeindex" && /^timestamp: -?\d+ offset: \d+$/.test(line))) tally[kind] += 1;
    // The tool takes every file to begin after offset -1, so it says this of each later segment of any log, Kafka's own too.
    else if (/^Non-consecutive offsets in /.test(line)) base = Number(/(\d+)\.log$/.exec(line)?.[1]);
    else if (new RegExp(`^\\s*-1 is followed by ${base}$`).test(line)) base = NaN;
    else if (kind === "snapshot" && /^producerId: \d+ producerEpoch: \d+ /.test(line)) tally.producers += 1;
    else if (!/^(Log starting offset: \d+|Snapshot version: \d+|)$/.test(line.trim()) && !/^Snapshot /.test(line)) faults.push(`${folder}: ${line}`);
  }
  const say = (what, good, why) => console.log(good ? `ok: dump: node ${node}: ${what}` : `FAILED: dump: node ${node}: ${what}: ${why}`.slice(0, 600));
  say(`no complaint about ${tally.segments} segments, ${tally.batches} batches, ${tally.records} records`, faults.length === 0 && tally.batches > 0, faults.slice(0, 5).join(" / ").replaceAll(/\s+/g, " "));
  // Members that left wrote to their group's partition after the ends were asked for; nobody wrote to any other.
  const wrong = Object.entries(ends).filter(([name, end]) => {
    const one = seen.get(name) ?? { first: 0, records: 0, end: 0 };
    return (name.startsWith("__") ? one.end < end : one.end !== end) || one.records !== one.end - one.first;
  });
  say(`the ${Object.keys(ends).length} partitions end where they ended for clients, no record missing`, wrong.length === 0, wrong.slice(0, 5).map(([name, end]) => `${name} ${end} ${JSON.stringify(seen.get(name) ?? null)}`).join(" / "));
  say(`offset index (${tally.index} entries), time index (${tally.timeindex}) and producer snapshots (${tally.producers} producers)`, tally.index > 0 && tally.timeindex > 0 && tally.producers > 0, "one of them was not read");
  say("the group's records are Kafka's", tally.groups > 0, "no record of dumped-group");
}
