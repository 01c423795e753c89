/**
 * Odd and broken requests, byte for byte as a real Kafka 4.3.1 got them (golden `hostile.ndjson`), sent to our broker: the same connections must
 * end, the same number of answers come, with the same error codes and positions. What we do otherwise on purpose stands in DEVIATIONS.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { startCluster, type Cluster } from "../../src/app/cluster.js";
import { APIS } from "../../src/protocol/apis.js";
import { decodeResponse } from "../../src/protocol/frame.js";
import { FindCoordinatorRequest, FindCoordinatorResponse } from "../../src/protocol/messages/10-find-coordinator.js";
import { goldenLines } from "../golden.js";
import { anyMessage } from "../protocol/vectors.js";
import { createTopics, withClient } from "./client.js";
import { send, type Outcome } from "./hostile.js";

interface Line {
  readonly group: string;
  readonly name: string;
  readonly hex: string;
  readonly listener?: string;
  readonly thenHalfClose?: boolean;
  readonly kafka: { readonly closes: boolean; readonly answers: number; readonly response_hex?: string };
}

interface Deviation {
  /** "closes": no answer and the end; otherwise a part of what is told of the answer. */
  readonly we: string;
  readonly because: string;
}

const NOT_ADVERTISED = "an API that is not in our list of versions ends the connection, as every unknown API does";
const ALL_TOPICS: Deviation = { we: "name=__consumer_offsets", because: "topics come in the order of their names, and there is no topic of transactions" };

/** By the case's name. A case that behaves as Kafka again fails the test, so that this table never grows stale. */
const DEVIATIONS: { readonly [name: string]: Deviation } = {
  "header-tag-count-huge": { we: "closes", because: "counts are bounded by the bytes that are there; Kafka takes -1 for no tags by accident" },
  "array-count-minus-1": ALL_TOPICS,
  "array-count-minus-2": ALL_TOPICS,
  "array-count-minus-2-v9": ALL_TOPICS,
  "boolean-2": { we: "topicAuthorizedOperations=-2147483648", because: "authorised operations are told as not known until there are ACLs" },
  "sasl-handshake-on-plaintext": { we: "closes", because: NOT_ADVERTISED },
  "sasl-authenticate-on-plaintext": { we: "closes", because: NOT_ADVERTISED },
  "consumer-heartbeat-unknown-member": { we: "closes", because: NOT_ADVERTISED },
  "consumer-heartbeat-empty-group": { we: "closes", because: NOT_ADVERTISED },
  "end-txn-unknown": { we: "closes", because: NOT_ADVERTISED },
  "describe-acls-no-authorizer": { we: "closes", because: NOT_ADVERTISED },
  "telemetry-no-receiver": { we: "closes", because: NOT_ADVERTISED },
  "records-null": { we: "errorCode=87", because: "Kafka never answers, by a bug of its own; the client would wait for its timeout" },
  "transactional-unknown-id": { we: "errorCode=87", because: "transactions are not built: such a batch must not enter a log" },
  "init-producer-id-timeout-too-large": { we: "errorCode=53", because: "transactions are not built: every transactional id is refused" },
  "partition-twice": { we: "errorCode=0", because: "each batch that was sent is appended and answered; Kafka answers one of the two" },
  "timeout-negative": { we: "errorCode=0", because: "the same answer, one position later: partition-twice has appended both of its batches" },
  "fetch-as-replica-5": { we: "errorCode=31", because: "replicas fetch with a session that the controller gave; a client may not pose as one" },
  "fetch-isolation-9": { we: "errorCode=-1", because: "the request as a whole is refused, not each partition" },
  "fetch-negative-limits": { we: "errorCode=0", because: "a limit below zero counts as zero: the first batch comes, so no reader can be stuck" },
};

let cluster: Cluster;
let port = 0;

beforeAll(async () => {
  cluster = await startCluster({ nodes: 1, settings: { "auto.create.topics.enable": "false", "offsets.topic.num.partitions": "1" } });
  port = Number(cluster.bootstrap[0]?.split(":")[1]);
  await createTopics(port, [
    { name: "hostile", configs: [] },
    { name: "small", configs: [{ name: "max.message.bytes", value: "200" }] },
    { name: "compacted", configs: [{ name: "cleanup.policy", value: "compact" }] },
  ]);
  await coordinatorReady();
});
afterAll(() => cluster.close());

test("hostile requests: Kafka's closes, answers, error codes and positions", { timeout: 120_000 }, async () => {
  const wrong: string[] = [];
  for (const line of goldenLines<Line>("hostile.ndjson")) {
    if (line.listener === "controller") continue; // our controllers speak no Kafka: their port is another protocol
    const bytes = Buffer.from(line.hex, "hex");
    const deviation = DEVIATIONS[line.name];
    const expected = deviation === undefined ? line.kafka : { closes: deviation.we === "closes", answers: deviation.we === "closes" ? 0 : 1 };
    const found = await send(port, { bytes, thenHalfClose: line.thenHalfClose === true, expected });
    const ours = told(bytes, found);
    const kafkas = told(bytes, { closes: line.kafka.closes, frames: frames(Buffer.from(line.kafka.response_hex ?? "", "hex")) });
    if (deviation === undefined ? ours !== kafkas : ours === kafkas || !ours.includes(deviation.we)) wrong.push(`${line.group} ${line.name}\n  kafka ${kafkas}\n  we    ${ours}`);
  }
  expect(wrong).toEqual([]);
});

test("after all of them the broker serves others as before", async () => {
  await withClient(port, async (client) => {
    const answer = await client.ask(FindCoordinatorRequest, FindCoordinatorResponse, { keyType: 0, coordinatorKeys: ["still-here"] });
    expect(answer.coordinators[0]?.errorCode).toBe(0);
  });
});

/** Groups are served once their topic has a leader: what a client waits for, too. */
async function coordinatorReady(): Promise<void> {
  await withClient(port, async (client) => {
    for (let round = 0; round < 200; round++) {
      const answer = await client.ask(FindCoordinatorRequest, FindCoordinatorResponse, { keyType: 0, coordinatorKeys: ["g"] });
      if (answer.coordinators[0]?.errorCode === 0) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error("no coordinator");
  });
}

/** Values of a cluster or of a moment, words for people, and what Kafka fills in beside an error. */
const IGNORED = new Set(["errorMessage", "brokers", "clusterId", "controllerId", "apiKeys", "finalizedFeatures", "finalizedFeaturesEpoch", "supportedFeatures", "zkMigrationReady", "host", "port", "nodeId", "topicId", "logAppendTimeMs", "logStartOffset", "recordErrors", "currentLeader", "nodeEndpoints", "leaderNodes", "records", "abortedTransactions", "throttleTimeMs", "producerId", "memberId", "groupState", "configs", "topicConfigErrorCode"]);

function told(request: Buffer, outcome: Outcome): string {
  const parts = outcome.frames.map((frame) => {
    const api = APIS.find((one) => one.request.key === request.readInt16BE(4));
    if (api === undefined) return `${frame.length} bytes`;
    const asked = request.readInt16BE(6);
    const version = asked < api.request.versions[0] || asked > api.request.versions[1] ? 0 : asked;
    return values("", decodeResponse(anyMessage(api.response), version, frame.subarray(4)).body).join(" ");
  });
  return `${outcome.closes ? "closes" : "stays"}, ${parts.length} answers: ${parts.join(" | ")}`;
}

function values(name: string, value: unknown): string[] {
  if (IGNORED.has(name)) return [];
  if (Array.isArray(value)) return value.flatMap((one) => values(name, one));
  if (value instanceof Uint8Array) return [`${name}=${Buffer.from(value).toString("hex")}`];
  if (typeof value === "object" && value !== null) return Object.entries(value).flatMap(([key, one]) => values(key, one));
  return [`${name}=${String(value)}`];
}

function frames(bytes: Buffer): Buffer[] {
  const out: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += 4 + bytes.readInt32BE(at)) out.push(bytes.subarray(at, at + 4 + bytes.readInt32BE(at)));
  return out;
}
