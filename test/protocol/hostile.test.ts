/** Bytes that are wrong: cut, bent, or claiming more than they bring. They end in a ProtocolError or a value, and cost no more than they are. */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { NO_UUID } from "../../src/base/ids.js";
import { APIS } from "../../src/protocol/apis.js";
import { decodeRequestHeader, FrameSplitter } from "../../src/protocol/frame.js";
import { MetadataRequest } from "../../src/protocol/messages/03-metadata.js";
import { ELEMENTS_MAX } from "../../src/protocol/reader.js";
import { ProtocolError } from "../../src/protocol/schema.js";
import { goldenLines, goldenList } from "../golden.js";
import { anyMessage, type AnyMessage } from "./vectors.js";

interface Vector {
  readonly version: number;
  readonly hex: string;
  readonly unstable?: boolean;
}

const sides = APIS.flatMap((api) => [
  { name: `${api.name} request`, folder: "requests", message: anyMessage(api.request) },
  { name: `${api.name} response`, folder: "responses", message: anyMessage(api.response) },
]);

function vectorsOf(folder: string, message: AnyMessage): readonly { readonly version: number; readonly bytes: Buffer }[] {
  const file = goldenList(folder).find((name) => Number(name.slice(0, 2)) === message.key) ?? "";
  return goldenLines<Vector>(`${folder}/${file}`).filter((one) => one.unstable !== true).map((one) => ({ version: one.version, bytes: Buffer.from(one.hex, "hex") }));
}

/** True where decoding refuses with a ProtocolError, false where it succeeds; anything else is thrown on. */
function refuses(run: () => unknown): boolean {
  try {
    run();
    return false;
  } catch (error) {
    if (error instanceof ProtocolError) return true;
    throw error;
  }
}

/** Elements, bytes and characters in a value: what its memory is proportional to. */
function weight(value: unknown): number {
  if (typeof value === "string") return value === NO_UUID ? 0 : value.length; // absent ids are one shared text; others have 22 characters for 16 bytes
  if (value instanceof Uint8Array) return value.length;
  if (Array.isArray(value)) return value.length + value.reduce((sum: number, one) => sum + weight(one), 0);
  if (typeof value === "object" && value !== null) return Object.values(value).reduce((sum: number, one) => sum + weight(one), 0);
  return 0;
}

let traces: number;
beforeAll(() => {
  traces = Error.stackTraceLimit;
  Error.stackTraceLimit = 0; // hundreds of thousands of errors are made here
});
afterAll(() => {
  Error.stackTraceLimit = traces;
});

describe.each(sides)("$name", ({ folder, message }) => {
  const vectors = vectorsOf(folder, message);

  test("every prefix is refused", () => {
    for (const { version, bytes } of vectors) {
      for (let end = 0; end < bytes.length; end++) {
        if (!refuses(() => message.decode(bytes.subarray(0, end), version))) expect.fail(`v${version}: ${end} of ${bytes.length} bytes were enough`);
      }
    }
  });

  test("bytes after it are ignored", () => {
    for (const { version, bytes } of vectors) expect(message.decode(Buffer.concat([bytes, Buffer.of(0xde, 0xad)]), version)).toEqual(message.decode(bytes, version));
  });

  test("bent bytes end in a ProtocolError or in a value that is not much more", () => {
    const bend = fc.record({ vector: fc.nat(), at: fc.nat(), to: fc.oneof(fc.constantFrom(0, 0x7f, 0x80, 0xff), fc.nat(255)), also: fc.nat(), count: fc.integer({ min: 1, max: 5 }) });
    fc.assert(fc.property(bend, ({ vector, at, to, also, count }) => {
      const { version, bytes } = vectors[vector % vectors.length] ?? expect.fail("there are vectors");
      const bent = Buffer.from(bytes);
      for (let i = 0; i < count; i++) bent[(at + i * (also % 7)) % bent.length] = to;
      let value: unknown = null;
      if (!refuses(() => (value = message.decode(bent, version)))) expect(weight(value)).toBeLessThanOrEqual(2 * bent.length);
    }), { numRuns: 300 });
  });
});

describe("claims", () => {
  test("a count beyond the bytes that remain is refused, in every form", () => {
    const claims: readonly [version: number, hex: string][] = [[1, "7fffffff"], [1, "0000000300026162"], [9, "ffffffff07"], [9, "ffffffff0f"], [9, "04026100"]];
    for (const [version, bytes] of claims) expect(() => MetadataRequest.decode(Buffer.from(bytes, "hex"), version), bytes).toThrow(/cannot fit/);
    expect(() => MetadataRequest.decode(Buffer.from("808080800800", "hex"), 9)).toThrow(ProtocolError); // fits into 32 bits, not into what follows
  });

  test("an array of objects has a limit beside the bytes: at it, and above", () => {
    const topics = (count: number) => {
      const bytes = Buffer.alloc(4 + count * 2 + 1); // names of no characters
      bytes.writeInt32BE(count);
      return MetadataRequest.decode(bytes, 1).topics?.length;
    };
    expect(topics(ELEMENTS_MAX)).toBe(ELEMENTS_MAX);
    expect(() => topics(ELEMENTS_MAX + 1)).toThrow(/more elements/);
  });
});

describe("requests that were sent to a real broker", () => {
  interface Sent {
    readonly group: string;
    readonly name: string;
    readonly hex: string;
    readonly listener?: string;
    readonly thenHalfClose?: boolean;
    readonly kafka: { readonly closes: boolean; readonly answers: number };
  }
  const messages = new Map(APIS.map((api) => [api.request.key, anyMessage(api.request)]));

  /** "waits" for the rest of a frame, "refused" closes, "parsed" goes to a handler. */
  function fate(bytes: Uint8Array): "waits" | "refused" | "parsed" {
    try {
      let outcome: "waits" | "parsed" = "waits";
      for (const frame of new FrameSplitter(104857600).push(bytes)) {
        const header = decodeRequestHeader(frame);
        const message = messages.get(header.apiKey);
        if (header.apiKey === 18 && !anyMessage(APIS[13].request).speaks(header.apiVersion)) return "parsed"; // answered whatever it holds
        if (message === undefined || !message.speaks(header.apiVersion)) return "refused";
        message.decode(frame.subarray(header.bytes), header.apiVersion);
        outcome = "parsed";
      }
      return outcome;
    } catch (error) {
      if (error instanceof ProtocolError) return "refused";
      throw error;
    }
  }

  /** What differs from Kafka on purpose. */
  const OTHERWISE: ReadonlyMap<string, string> = new Map([["header-tag-count-huge", "a count of 2^32 - 1 cannot be true; Kafka takes it for none"]]);
  /** Kafka's handlers close these after parsing them. */
  const byHandler = new Set(["software-name-empty", "software-name-bad", "software-version-bad"]);

  const sent = goldenLines<Sent>("hostile.ndjson").filter((one) => one.listener !== "controller");
  const ours = sent.filter((one) => {
    const frame = Buffer.from(one.hex, "hex");
    const api = frame.length >= 6 ? frame.readInt16BE(4) : -1;
    return messages.has(api) || one.kafka.answers === 0;
  });

  test.each(["framing", "header", "fields", "versions", "truncated"])("%s", (group) => {
    const cases = ours.filter((one) => one.group === group);
    expect(cases.length).toBeGreaterThan(0);
    for (const one of cases) {
      if (byHandler.has(one.name)) continue;
      const parsed = fate(Buffer.from(one.hex, "hex"));
      if (OTHERWISE.has(one.name)) expect(parsed, one.name).toBe("refused");
      else if (one.thenHalfClose === true) continue; // closing is the client's doing
      else if (one.kafka.closes) expect(parsed, one.name).toBe("refused");
      else expect(parsed, one.name).toBe(one.kafka.answers > 0 ? "parsed" : "waits");
    }
  });
});
