/** Frames and headers, against Kafka's vectors and by rule. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BufferPool } from "../../src/base/buffer-pool.js";
import { APIS } from "../../src/protocol/apis.js";
import { decodeRequestHeader, decodeResponse, encodeRequestFrame, encodeResponseFrame, FrameSplitter, isFlexible } from "../../src/protocol/frame.js";
import { HeartbeatRequest } from "../../src/protocol/messages/12-heartbeat.js";
import { ProtocolError } from "../../src/protocol/schema.js";
import { goldenJson, goldenLines } from "../golden.js";
import { anyMessage, decoded, hex, input, plain, type Json } from "./vectors.js";

interface RequestHeaderJson {
  readonly requestApiKey: number;
  readonly requestApiVersion: number;
  readonly correlationId: number;
  readonly clientId: string | null;
}

interface FrameVector {
  readonly api: number;
  readonly type: "request" | "response";
  readonly version: number;
  readonly header: RequestHeaderJson;
  readonly json: Json;
  readonly hex: string;
}

const requests = new Map(APIS.map((api) => [api.request.key, anyMessage(api.request)]));
const responses = new Map(APIS.map((api) => [api.response.key, anyMessage(api.response)]));
const splitOne = (bytes: Uint8Array) => [...new FrameSplitter(1 << 27).push(bytes)];

describe("whole frames of Kafka", () => {
  const frames = goldenLines<FrameVector>("frames.ndjson").filter((one) => requests.get(one.api)?.speaks(one.version) === true);
  test("cover every advertised API", () => expect(new Set(frames.map((one) => one.api)).size).toBe(APIS.length));

  test.each(frames.filter((one) => one.type === "request"))("request $api v$version", ({ api, version, header, json, hex: expected }) => {
    const message = requests.get(api) ?? expect.fail("advertised");
    const [frame] = splitOne(Buffer.from(expected, "hex"));
    const head = decodeRequestHeader(frame ?? new Uint8Array());
    expect(head).toMatchObject({ apiKey: header.requestApiKey, apiVersion: header.requestApiVersion, correlationId: header.correlationId, clientId: header.clientId });
    expect(plain(message.decode((frame ?? new Uint8Array()).subarray(head.bytes), version))).toEqual(plain(decoded(message.fields, json)));
    expect(hex(Buffer.concat(encodeRequestFrame(message, version, header, input(message.fields, json))))).toBe(expected);
  });

  test.each(frames.filter((one) => one.type === "response"))("response $api v$version", ({ api, version, header, json, hex: expected }) => {
    const message = responses.get(api) ?? expect.fail("advertised");
    const [frame] = splitOne(Buffer.from(expected, "hex"));
    const { correlationId, body } = decodeResponse(message, version, frame ?? new Uint8Array());
    expect(correlationId).toBe(header.correlationId);
    expect(plain(body)).toEqual(plain(decoded(message.fields, json)));
    expect(hex(Buffer.concat(encodeResponseFrame(api, version, header.correlationId, message.encode(input(message.fields, json), version))))).toBe(expected);
  });
});

describe("headers", () => {
  interface Headers {
    readonly apis: readonly { readonly api: number; readonly versions: readonly { readonly version: number; readonly request: number; readonly response: number }[] }[];
  }

  test("of each API and version are the ones that Kafka uses", () => {
    const kafka = goldenJson<Headers>("headers.json").apis;
    for (const { request, response } of APIS) {
      const rows = kafka.find((one) => one.api === request.key)?.versions.filter((row) => request.speaks(row.version)) ?? [];
      expect(rows.length).toBe(request.versions[1] - request.versions[0] + 1);
      for (const row of rows) {
        expect(isFlexible(request.key, row.version) ? 2 : 1, `API ${request.key} v${row.version}`).toBe(row.request);
        const bytes = Buffer.concat(encodeResponseFrame(request.key, row.version, 7, { parts: [], bytes: 0 })).length;
        expect(bytes, `answer of API ${response.key} v${row.version}`).toBe(row.response === 1 ? 9 : 8);
      }
    }
  });

  interface HeaderVector {
    readonly type: "request" | "response";
    readonly headerVersion: number;
    readonly case: string;
    readonly json: RequestHeaderJson;
    readonly hex: string;
  }

  test("of requests read back", () => {
    const vectors = goldenLines<HeaderVector>("headers.ndjson").filter((one) => one.type === "request");
    expect(vectors.length).toBeGreaterThan(0);
    for (const one of vectors) {
      const bytes = Buffer.from(one.hex, "hex");
      const header = decodeRequestHeader(bytes);
      const { requestApiKey: apiKey, requestApiVersion: apiVersion, correlationId, clientId } = one.json;
      expect(header).toMatchObject({ apiKey, apiVersion, correlationId, clientId });
      if (isFlexible(apiKey, apiVersion) === (one.headerVersion === 2)) expect(header.bytes).toBe(bytes.length);
    }
  });

  test("of answers are read by the version's flexibility, tags skipped", () => {
    const body = HeartbeatRequest; // any message whose first version is classic and last flexible
    for (const one of goldenLines<HeaderVector>("headers.ndjson").filter((vector) => vector.type === "response")) {
      const version = one.headerVersion === 1 ? 4 : 0;
      const value = { groupId: "g", generationId: 1, memberId: "m" };
      const frame = Buffer.concat([Buffer.from(one.hex, "hex"), body.toBytes(value, version)]);
      expect(decodeResponse(body, version, frame)).toMatchObject({ correlationId: one.json.correlationId, body: value });
    }
  });

  test("every prefix of a header is refused; a negative length of the client id means none", () => {
    const header = Buffer.from("001200040000000b0007686f7374696c6500", "hex");
    for (let end = 0; end < header.length; end++) expect(() => decodeRequestHeader(header.subarray(0, end))).toThrow(ProtocolError);
    expect(decodeRequestHeader(Buffer.from("0012000400000017fffe00", "hex")).clientId).toBeNull();
  });

  test("a count of tags that cannot be true is refused before the tags are looked at", () => {
    for (const count of ["ffffffff0f", "ffffff7f", "02"]) expect(() => decodeRequestHeader(Buffer.from(`001200040000001f000161${count}0001`, "hex"))).toThrow(ProtocolError);
    const tags = Buffer.concat([Buffer.from("001200040000001f000161818040", "hex"), Buffer.alloc(2 * ((1 << 20) + 1))]); // 2^20 + 1 empty tags
    expect(() => decodeRequestHeader(tags)).toThrow(/more elements/);
  });
});

describe("the splitter", () => {
  const frameOf = (body: Uint8Array) => {
    const head = Buffer.alloc(4);
    head.writeInt32BE(body.length);
    return Buffer.concat([head, body]);
  };

  test("gives the same frames however the bytes are cut", () => {
    fc.assert(fc.property(fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 8 }), fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 20 }), (bodies, cuts) => {
      const stream = Buffer.concat(bodies.map(frameOf));
      const splitter = new FrameSplitter(1024);
      const frames: Uint8Array[] = [];
      for (let at = 0, i = 0; at < stream.length; i++) {
        const count = cuts[i % cuts.length] ?? 1;
        const lent = Buffer.from(stream.subarray(at, at + count));
        frames.push(...splitter.push(lent));
        lent.fill(0xee); // what was lent is overwritten
        at += count;
      }
      expect(frames.map(hex)).toEqual(bodies.map(hex));
    }), { numRuns: 100 });
  });

  test("judges a length at its four bytes: below, at and above the limit", () => {
    const length = (n: number) => {
      const head = Buffer.alloc(4);
      head.writeInt32BE(n);
      return head;
    };
    for (const good of [1, 999, 1000]) expect([...new FrameSplitter(1000).push(length(good))]).toEqual([]);
    for (const bad of [0, -1, -2147483648, 1001, 2147483647]) expect(() => [...new FrameSplitter(1000).push(length(bad))], `${bad}`).toThrow(ProtocolError);
  });

  test("delivers what came before a broken length", () => {
    const seen: string[] = [];
    const push = () => {
      for (const frame of new FrameSplitter(100).push(Buffer.concat([frameOf(Buffer.of(1, 2)), Buffer.from("ffffffff", "hex")]))) seen.push(hex(frame));
    };
    expect(push).toThrow(ProtocolError);
    expect(seen).toEqual(["0102"]);
  });

  test("takes memory as bytes come: a claim of 100 MiB costs next to nothing", () => {
    const before = process.memoryUsage().arrayBuffers;
    const splitters = Array.from({ length: 100 }, () => {
      const splitter = new FrameSplitter(104857600);
      expect([...splitter.push(Buffer.from("0640000001020304", "hex"))]).toEqual([]);
      return splitter;
    });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(splitters.length * (128 << 10));
  });

  test("puts a large frame together from small chunks", () => {
    const body = Buffer.alloc(3 << 20, 7);
    const stream = frameOf(body);
    const splitter = new FrameSplitter(8 << 20);
    const frames: Uint8Array[] = [];
    for (let at = 0; at < stream.length; at += 65536) frames.push(...splitter.push(stream.subarray(at, at + 65536)));
    expect(frames.length).toBe(1);
    expect(Buffer.compare(frames[0] ?? Buffer.alloc(0), body)).toBe(0);
  });
});

test("frames in pooled memory hold what was sent, until they are given back and whatever was given back before", () => {
  const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 16_000, max: 300_000 })), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(sizes, fc.integer({ min: 100, max: 70_000 }), fc.infiniteStream(fc.boolean()), (lengths, chunk, gives) => {
      const pool = new BufferPool({ keepMaxBytes: 1 << 20, largestBytes: 1 << 18 });
      const splitter = new FrameSplitter(1 << 20, pool);
      const sent = lengths.map((length, i) => Buffer.alloc(length, i + 1));
      const wire = Buffer.concat(sent.flatMap((one) => [Buffer.from([one.length >>> 24, one.length >>> 16, one.length >>> 8, one.length]), one]));
      const kept: (readonly [Uint8Array, number])[] = [];
      let next = 0;
      for (let at = 0; at < wire.length; at += chunk) {
        for (const frame of splitter.push(wire.subarray(at, at + chunk))) {
          const index = next++;
          expect(Buffer.compare(frame, sent[index] ?? Buffer.alloc(0))).toBe(0);
          if (gives.next().value) splitter.recycle(frame);
          else kept.push([frame, index]);
        }
      }
      expect(next).toBe(sent.length);
      for (const [frame, index] of kept) expect(Buffer.compare(frame, sent[index] ?? Buffer.alloc(0))).toBe(0);
    }),
    { numRuns: 100 },
  );
});
