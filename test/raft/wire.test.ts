import * as fs from "node:fs";
import * as path from "node:path";
import protobuf from "protobufjs";
import { describe, expect, test } from "vitest";
import { nodeId, uuid } from "../../src/base/ids.js";
import type { Message } from "../../src/raft/core/messages.js";
import { BODIES, decodeEnvelope, encodeEnvelope, WireError, type Envelope } from "../../src/raft/wire.js";

const proto = protobuf.parse(fs.readFileSync(path.join(__dirname, "../../proto/raft.proto"), "utf8"), { keepCase: false }).root;
const envelope = proto.lookupType("kontiki.raft.v1.Envelope");

const entries = [
  { index: 8, term: 3, kind: "noop", payload: new Uint8Array(0) },
  { index: 9, term: 4, kind: "data", payload: new Uint8Array([1, 2, 3]) },
  { index: 10, term: 4, kind: "members", payload: new Uint8Array([9]) },
] as const;
const messages: readonly Message[] = [
  { kind: "pre-vote", term: 5, last: { index: 7, term: 3 } },
  { kind: "pre-vote-answer", term: 5, granted: true },
  { kind: "vote", term: 2 ** 40, last: { index: 2 ** 45, term: 3 }, transfer: true },
  { kind: "vote-answer", term: 5, granted: false },
  { kind: "append", term: 5, previous: { index: 7, term: 3 }, entries, commit: 6, round: 11 },
  { kind: "append-answer", term: 5, ok: true, previous: 10, match: 9, hint: { index: 0, term: 0 }, round: 11 },
  { kind: "append-answer", term: 5, ok: false, previous: 10, match: 0, hint: { index: 4, term: 2 }, round: 0 },
  { kind: "snapshot", term: 5, point: { index: 4, term: 2 }, position: 3, total: 9, chunk: new Uint8Array([7, 7]), round: 1 },
  { kind: "snapshot-answer", term: 5, index: 4, next: 5, done: true, round: 1 },
  { kind: "timeout-now", term: 5 },
];
const envelopes: readonly Envelope[] = [
  { hello: { clusterId: "c", nodeId: nodeId(3), directoryId: uuid("dir0000000000000000001"), starts: 4, expected: "1,2,3" } },
  ...messages.map((message) => ({ message })),
];

describe("raft messages on the wire", () => {
  test.each(envelopes)("round-trip: %o", (one) => {
    expect(decodeEnvelope(encodeEnvelope(one))).toEqual(one);
  });

  test("the tables are those of proto/raft.proto: names, numbers, types, nothing more or less", () => {
    for (const [number, name, fields] of Object.values(BODIES)) {
      expect(envelope.fieldsById[number]?.type).toBe(name);
      const type = proto.lookupType(`kontiki.raft.v1.${name}`);
      const told = type.fieldsArray.map((field) => [field.id, field.name, field.repeated ? `${field.type}[]` : field.type]);
      expect(told).toEqual(fields.map((field) => [...field]));
    }
    expect(Object.keys(BODIES).length).toBe(envelope.fieldsArray.length);
    expect(proto.lookupType("kontiki.raft.v1.Entry").fieldsArray.map((field) => [field.id, field.name, field.type])).toEqual([[1, "index", "uint64"], [2, "term", "uint64"], [3, "kind", "uint32"], [4, "payload", "bytes"]]);
  });

  test.each(envelopes)("another reader of the proto file reads the same bytes, and writes what we read: %o", (one) => {
    const bytes = encodeEnvelope(one);
    const read = envelope.decode(bytes);
    expect(decodeEnvelope(envelope.encode(read).finish())).toEqual(one);
  });

  test("what is cut short, overlong, or breaks what the core takes for granted is refused", () => {
    for (const one of envelopes) {
      const bytes = encodeEnvelope(one);
      for (let end = 0; end < bytes.length; end++) expect(() => decodeEnvelope(bytes.subarray(0, end)), `cut at ${end}`).toThrow(WireError);
    }
    const append = messages[4] as Extract<Message, { kind: "append" }>;
    expect(() => decodeEnvelope(encodeEnvelope({ message: { ...append, previous: { index: 6, term: 3 } } }))).toThrow("do not follow");
    expect(() => decodeEnvelope(encodeEnvelope({ message: { ...append, term: 3 } }))).toThrow("terms fall");
    expect(() => decodeEnvelope(Buffer.from([0x7a, 0]))).toThrow(WireError);
    const random = new Uint8Array(300);
    for (let seed = 0; seed < 2000; seed++) {
      for (let i = 0; i < random.length; i++) random[i] = (seed * 31 + i * 17 + ((seed * i) >> 3)) & 255;
      try {
        decodeEnvelope(random.subarray(0, 1 + (seed % 300)));
      } catch (error) {
        expect(error).toBeInstanceOf(WireError);
      }
    }
  });
});
