/** What a declaration promises to those who read and write messages. */
import { describe, expect, test } from "vitest";
import { NO_UUID } from "../../src/base/ids.js";
import { ProduceRequest, ProduceResponse } from "../../src/protocol/messages/00-produce.js";
import { FetchRequest, FetchResponse } from "../../src/protocol/messages/01-fetch.js";
import { MetadataRequest, MetadataResponse } from "../../src/protocol/messages/03-metadata.js";
import { HeartbeatRequest } from "../../src/protocol/messages/12-heartbeat.js";
import { array, between, bytes, data, defaults, ignorable, int32, int64, nullable, nullableSince, since, string, struct, tagged, taggedFrom, UnsupportedError, type Infer, type Input } from "../../src/protocol/schema.js";
import { hex } from "./vectors.js";

const Example = data({ versions: [0, 3], flexibleSince: 2 }, {
  id: int32(),
  note: nullableSince(1, string()),
  since1: since(1, defaults(7, int32())),
  only1: ignorable(between(1, 1, int64())),
  inner: tagged(0, nullable(struct({ a: int32(), list: array(string()) }))),
  moved: taggedFrom(3, 5, int32()),
});
type Example = Infer<typeof Example>;

describe("a decoded value", () => {
  test("has every declared field, absent ones at their default, in one order for all versions", () => {
    const names = [0, 1, 2, 3].map((version) => Object.keys(Example.decode(Example.toBytes({ inner: { a: 1 } }, 2), version === 2 ? 2 : 2)));
    for (const one of names) expect(one).toEqual(["id", "note", "since1", "only1", "inner", "moved"]);
    const value: Example = Example.decode(Example.toBytes({ id: 5, note: "x" }, 0), 0);
    expect(value).toEqual({ id: 5, note: "x", since1: 7, only1: 0n, inner: { a: 0, list: [] }, moved: 0 });
  });

  test("shares its defaults, so they are frozen", () => {
    const value = MetadataResponse.decode(MetadataResponse.toBytes({}, 0), 0);
    expect(Object.isFrozen(FetchRequest.decode(FetchRequest.toBytes({}, 4), 4).forgottenTopicsData)).toBe(true);
    expect(value.topics).toEqual([]);
    expect(Object.isFrozen(FetchResponse.decode(FetchResponse.toBytes({ responses: [{ partitions: [{}] }] }, 4), 4).responses[0]?.partitions[0]?.currentLeader)).toBe(true);
  });

  test("holds views of the bytes it was read from, never copies", () => {
    const frame = ProduceRequest.toBytes({ topicData: [{ name: "t", partitionData: [{ records: Buffer.alloc(2000, 1) }] }] }, 9);
    const records = ProduceRequest.decode(frame, 9).topicData[0]?.partitionData[0]?.records;
    expect(records?.buffer).toBe(frame.buffer);
    frame[records?.byteOffset === undefined ? 0 : records.byteOffset - frame.byteOffset] = 9;
    expect(records?.[0]).toBe(9);
  });
});

describe("an input", () => {
  test("may leave out what keeps its default", () => {
    const partial: Input<typeof HeartbeatRequest> = { groupId: "g" };
    expect(HeartbeatRequest.decode(HeartbeatRequest.toBytes(partial, 4), 4)).toEqual({ groupId: "g", generationId: 0, memberId: "", groupInstanceId: null });
    expect(MetadataRequest.decode(MetadataRequest.toBytes({ topics: [{ name: "a" }] }, 12), 12).topics).toEqual([{ topicId: NO_UUID, name: "a" }]);
  });

  test("loses an ignorable field silently, and keeps its default anywhere", () => {
    expect(Example.decode(Example.toBytes({ only1: 5n }, 2), 2).only1).toBe(0n);
    expect(Example.decode(Example.toBytes({ since1: 7 }, 0), 0).since1).toBe(7);
    expect(() => FetchResponse.toBytes({ responses: [{ partitions: [{ currentLeader: { leaderId: -1, leaderEpoch: -1 } }] }] }, 4)).not.toThrow();
  });

  test("is refused where a field that matters would be lost", () => {
    expect(() => Example.toBytes({ since1: 8 }, 0)).toThrow(new UnsupportedError("data -1 v0 has no since1, whose value must not be lost"));
    expect(() => FetchRequest.toBytes({ replicaState: { replicaId: 1, replicaEpoch: 5n } }, 14)).toThrow(/replicaState/);
    expect(() => FetchRequest.toBytes({ forgottenTopicsData: [{}] }, 6)).toThrow(/forgottenTopicsData/);
    expect(() => HeartbeatRequest.toBytes({ groupInstanceId: "i" }, 2)).toThrow(UnsupportedError);
  });

  test("that answers an old version drops what it has no words for", () => {
    const leader = { currentLeader: { leaderId: 3, leaderEpoch: 4 } };
    const answer = (version: number) => FetchResponse.decode(FetchResponse.toBytes({ responses: [{ partitions: [leader] }] }, version), version).responses[0]?.partitions[0];
    expect(answer(11)?.currentLeader).toEqual({ leaderId: -1, leaderEpoch: -1 });
    expect(answer(12)).toMatchObject(leader);
  });

  test("is refused where null, a number or a text has no room", () => {
    expect(() => Example.toBytes({ note: null }, 0)).toThrow(UnsupportedError);
    expect(Example.decode(Example.toBytes({ note: null }, 1), 1).note).toBeNull();
    expect(() => Example.toBytes({ id: 2 ** 31 }, 0)).toThrow(UnsupportedError);
    for (const version of [0, 2]) {
      expect(() => Example.toBytes({ note: "x".repeat(32767) }, version)).not.toThrow();
      expect(() => Example.toBytes({ note: "x".repeat(32768) }, version)).toThrow(UnsupportedError);
      expect(() => Example.toBytes({ note: "ж".repeat(16384) }, version)).toThrow(UnsupportedError);
    }
  });

  test("a version outside the declared ones is a bug of the caller", () => {
    expect(() => Example.toBytes({}, 4)).toThrow(/no version 4/);
    expect(() => Example.decode(Buffer.alloc(10), -1)).toThrow(/no version -1/);
  });

  test("text of every length and script comes back", () => {
    for (const version of [0, 2]) {
      for (const text of ["", "a", "é", "x".repeat(47) + "é", "x".repeat(48), "x".repeat(49), "日本語🔑".repeat(12), "y".repeat(5000), "__proto__"]) {
        const encoded = Example.toBytes({ id: 1, note: text, since1: 7 }, version);
        expect(Example.decode(encoded, version).note).toBe(text);
      }
    }
  });
});

describe("tagged fields", () => {
  test("are left out at their default and written in order of their tags", () => {
    expect(hex(Example.toBytes({ inner: { a: 0, list: [] } }, 3))).toBe("00000000" + "01" + "00000007" + "00");
    expect(hex(Example.toBytes({ moved: 1, inner: { a: 2, list: [] } }, 3))).toBe("00000000" + "01" + "00000007" + "02" + "0007" + "01" + "00000002" + "01" + "00" + "0504" + "00000001");
  });

  test("mark a null struct by 0 and a present one by 1", () => {
    const encoded = Example.toBytes({ inner: null }, 3);
    expect(hex(encoded)).toBe("00000000" + "01" + "00000007" + "01" + "0001" + "00");
    expect(Example.decode(encoded, 3).inner).toBeNull();
  });

  test("were ordinary before the version that tagged them", () => {
    expect(hex(Example.toBytes({ moved: 1 }, 2))).toBe("00000000" + "01" + "00000007" + "00000001" + "00");
    expect(Example.decode(Example.toBytes({ moved: 1 }, 2), 2).moved).toBe(1);
  });
});

describe("parts", () => {
  const Blobs = data({ versions: [0, 0], flexibleSince: null }, { head: int32(), blobs: array(bytes()), tail: int32() });

  test("hold large byte fields by reference and small ones by copy: below, at and above 1 KiB", () => {
    const blobs = [1023, 1024, 5000].map((length) => Buffer.alloc(length, length));
    const { parts, bytes: count } = Blobs.encode({ head: 1, blobs, tail: 2 }, 0);
    expect(blobs.map((blob) => parts.includes(blob))).toEqual([false, true, true]);
    expect(parts.reduce((sum, part) => sum + part.length, 0)).toBe(count);
    expect(Blobs.decode(Buffer.concat(parts), 0)).toEqual({ head: 1, blobs, tail: 2 });
  });

  test("records may come in several pieces, which are one field on the wire", () => {
    const pieces = [Buffer.alloc(10, 1), Buffer.alloc(3000, 2), Buffer.alloc(0), Buffer.alloc(1500, 3)];
    const whole = Buffer.concat(pieces);
    const response = (records: Uint8Array | readonly Uint8Array[]) => ({ responses: [{ partitions: [{ records, highWatermark: 9n }] }] });
    for (const version of [4, 12, 18]) {
      const { parts } = FetchResponse.encode(response(pieces), version);
      expect(parts).toContain(pieces[1]);
      expect(hex(Buffer.concat(parts))).toBe(hex(FetchResponse.toBytes(response(whole), version)));
    }
  });

  test("an empty answer is one small part", () => {
    expect(ProduceResponse.encode({}, 9).parts.length).toBe(1);
  });
});
