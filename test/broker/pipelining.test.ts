/** Many produce requests of one connection in flight at once, light and dear to check, small and large: accepted in the order sent, and stored as sent. */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { startCluster, type Cluster } from "../../src/app/cluster.js";
import { jobs } from "../../src/app/jobs.js";
import { NO_UUID, type Uuid } from "../../src/base/ids.js";
import { errorName } from "../../src/protocol/errors.js";
import { ProduceRequest, ProduceResponse } from "../../src/protocol/messages/00-produce.js";
import { FetchRequest, FetchResponse } from "../../src/protocol/messages/01-fetch.js";
import { MetadataRequest, MetadataResponse } from "../../src/protocol/messages/03-metadata.js";
import { InitProducerIdRequest, InitProducerIdResponse } from "../../src/protocol/messages/22-init-producer-id.js";
import { VALIDATE_JOB } from "../../src/records/validate-job.js";
import { splitBatches } from "../../src/records/batch.js";
import { buildBatch } from "../../src/records/builder.js";
import { readRecords } from "../../src/records/record.js";
import type { KafkaClient } from "../../src/cli/kafka-client.js";
import { createTopics, withClient } from "./client.js";

const CODECS = ["none", "none", "gzip", "snappy", "lz4"] as const;
const SIZES = [10, 3_000, 70_000, 200_000, 400_000] as const;

let cluster: Cluster;
let port = 0;
beforeAll(async () => {
  cluster = await startCluster();
  port = Number(cluster.bootstrapServers.split(":")[1]);
});
afterAll(() => cluster.close());

/** Half noise, so that compression leaves something: what is heavy to check is large on the wire too. */
function value(seed: number, bytes: number): Buffer {
  const out = Buffer.alloc(bytes, seed % 251);
  for (let i = 0, x = seed + 1; i < bytes / 2; i++) out[i] = (x = (Math.imul(x, 1_103_515_245) + 12_345) >>> 0) >>> 16;
  return out;
}

async function consume(client: KafkaClient, topicId: Uuid, count: number): Promise<Buffer[]> {
  const values: Buffer[] = [];
  for (let reads = 0; values.length < count && reads < 100; reads++) {
    const partition = { partition: 0, fetchOffset: BigInt(values.length), partitionMaxBytes: 1 << 20 };
    const answer = await client.ask(FetchRequest, FetchResponse, { maxWaitMs: 100, minBytes: 1, maxBytes: 1 << 20, topics: [{ topicId, partitions: [partition] }] });
    const bytes = answer.responses[0]?.partitions[0]?.records ?? new Uint8Array();
    for (const span of splitBatches(bytes).spans) for (const record of readRecords(bytes.subarray(span.position, span.position + span.bytes))) values.push(Buffer.from(record.value ?? []));
  }
  return values;
}

/** A new topic's leader opens its log first. */
async function untilLed(client: KafkaClient, topicId: Uuid): Promise<void> {
  for (let looks = 0; looks < 500; looks++) {
    const answer = await client.ask(FetchRequest, FetchResponse, { maxWaitMs: 10, minBytes: 1, maxBytes: 1, topics: [{ topicId, partitions: [{ partition: 0, fetchOffset: 0n, partitionMaxBytes: 1 }] }] });
    if (answer.responses[0]?.partitions[0]?.errorCode === 0) return;
  }
  throw new Error("the topic has no leader");
}

describe("a pipeline of produce requests", () => {
  const anyRequest = fc.record({ codec: fc.constantFrom(...CODECS), bytes: fc.constantFrom(...SIZES) });
  test("is accepted in order and stored as sent", async () => {
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(anyRequest, { minLength: 4, maxLength: 12 }), async (requests) => {
        const name = `pipeline-${run++}`;
        await createTopics(port, [{ name, configs: [] }]);
        await withClient(port, async (client) => {
          const metadata = await client.ask(MetadataRequest, MetadataResponse, { topics: [{ name }] });
          const topicId = metadata.topics[0]?.topicId ?? NO_UUID;
          await untilLed(client, topicId);
          const producer = await client.ask(InitProducerIdRequest, InitProducerIdResponse, { transactionalId: null, transactionTimeoutMs: 1000 });
          const sent = requests.map(({ bytes }, i) => value(run * 100 + i, bytes));
          const answers = await Promise.all(
            requests.map(({ codec }, i) => {
              const records = buildBatch([{ key: null, value: sent[i] ?? null, timestamp: 1 }], { codec, producer: { id: producer.producerId, epoch: producer.producerEpoch, sequence: i } });
              return client.ask(ProduceRequest, ProduceResponse, { transactionalId: null, acks: -1, timeoutMs: 10_000, topicData: [{ topicId, partitionData: [{ index: 0, records }] }] });
            }),
          );
          const outcomes = answers.map((one) => one.responses[0]?.partitionResponses[0]);
          expect(outcomes.map((one) => [errorName(one?.errorCode ?? -1), one?.baseOffset])).toEqual(requests.map((_, i) => ["NONE", BigInt(i)]));
          const stored = await consume(client, topicId, sent.length);
          expect(stored.length).toBe(sent.length);
          expect(stored.every((one, i) => Buffer.compare(one, sent[i] ?? Buffer.alloc(0)) === 0)).toBe(true);
        });
      }),
      { numRuns: 12 },
    );
  });
});

test.each([
  ["gzip", 300_000, 1],
  ["gzip", 1_000, 0],
  ["none", 300_000, 0],
] as const)("what is dear to check leaves the thread: %s, %i bytes", async (codec, bytes, jobsRun) => {
  const name = `leaves-${codec}-${bytes}`;
  await createTopics(port, [{ name, configs: [] }]);
  const job = vi.spyOn(jobs, VALIDATE_JOB);
  try {
    await withClient(port, async (client) => {
      const metadata = await client.ask(MetadataRequest, MetadataResponse, { topics: [{ name }] });
      const topicId = metadata.topics[0]?.topicId ?? NO_UUID;
      await untilLed(client, topicId);
      const records = buildBatch([{ key: null, value: value(1, bytes), timestamp: 1 }], { codec });
      const answer = await client.ask(ProduceRequest, ProduceResponse, { transactionalId: null, acks: -1, timeoutMs: 10_000, topicData: [{ topicId, partitionData: [{ index: 0, records }] }] });
      expect(errorName(answer.responses[0]?.partitionResponses[0]?.errorCode ?? -1)).toBe("NONE");
    });
    expect(job).toHaveBeenCalledTimes(jobsRun);
  } finally {
    job.mockRestore();
  }
});
