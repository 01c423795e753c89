/** One consumer of a group as a process of its own, so that it can be killed. Prints a line of JSON a batch: [partition, [[offset, key, value], ...]]. */
import { Kafka, logLevel } from "kafkajs";

const [brokers, topic, groupId] = process.argv.slice(2);
const kafka = new Kafka({ brokers: brokers.split(","), logLevel: logLevel.NOTHING, retry: { retries: 30, initialRetryTime: 50, maxRetryTime: 500 } });
const consumer = kafka.consumer({ groupId, sessionTimeout: 6_000, heartbeatInterval: 500, maxBytesPerPartition: 100_000 });
consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => process.stdout.write(`${JSON.stringify({ joined: Object.values(payload.memberAssignment).flat().length })}\n`));
await consumer.connect();
await consumer.subscribe({ topic, fromBeginning: true });
await consumer.run({
  autoCommitThreshold: 2_000,
  partitionsConsumedConcurrently: 2,
  eachBatch: async ({ batch, heartbeat, resolveOffset }) => {
    const rows = batch.messages.map((one) => [Number(one.offset), String(one.key), String(one.value)]);
    await new Promise((resolve) => process.stdout.write(`${JSON.stringify([batch.partition, rows])}\n`, resolve));
    resolveOffset(batch.lastOffset());
    await heartbeat();
  },
});
process.on("SIGTERM", () => void consumer.disconnect().then(() => process.exit(0)));
