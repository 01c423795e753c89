/** Requests and responses, byte for byte as Apache Kafka 4.3.1 writes them: every advertised API, every version. */
import { describe, expect, test } from "vitest";
import { APIS } from "../../src/protocol/apis.js";
import { goldenLines, goldenList } from "../golden.js";
import { anyMessage, decoded, hex, input, plain, type Json } from "./vectors.js";

interface Vector {
  readonly api: number;
  readonly version: number;
  readonly case: string;
  readonly json: Json;
  readonly hex: string;
  readonly unstable?: boolean;
}

const sides = APIS.flatMap((api) => [
  { name: `${api.name} request`, folder: "requests", message: anyMessage(api.request) },
  { name: `${api.name} response`, folder: "responses", message: anyMessage(api.response) },
]);

describe.each(sides)("$name", ({ folder, message }) => {
  const file = goldenList(folder).find((name) => Number(name.slice(0, 2)) === message.key) ?? "";
  const vectors = goldenLines<Vector>(`${folder}/${file}`);
  const stable = vectors.filter((one) => one.unstable !== true);
  const versions = [...new Set(stable.map((one) => one.version))].sort((a, b) => a - b);

  test("speaks the versions that Kafka speaks, but for unstable ones", () => {
    expect([versions[0], versions.at(-1)]).toEqual(message.versions);
    expect(versions.length).toBe(message.versions[1] - message.versions[0] + 1);
  });

  test.each(versions)("version %i reads and writes Kafka's bytes", (version) => {
    for (const one of stable.filter((vector) => vector.version === version)) {
      const bytes = Buffer.from(one.hex, "hex");
      const value = message.decode(bytes, version);
      expect(plain(value), one.case).toEqual(plain(decoded(message.fields, one.json)));
      if (one.case === "unknown-tags") continue; // read over, not kept: see the next test
      expect(hex(message.toBytes(value, version)), `${one.case}, written again`).toBe(one.hex);
      expect(hex(message.toBytes(input(message.fields, one.json), version)), `${one.case}, from JSON alone`).toBe(one.hex);
    }
  });

  test("tagged fields that nobody knows are skipped", () => {
    for (const one of stable.filter((vector) => vector.case === "unknown-tags")) {
      const value = message.decode(Buffer.from(one.hex, "hex"), one.version);
      expect(plain(message.decode(message.toBytes(value, one.version), one.version))).toEqual(plain(value));
    }
  });
});
