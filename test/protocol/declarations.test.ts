/** Our declarations say what Kafka's say: fields, order, types, versions, nulls, defaults, tags, and what may be dropped. */
import { describe, expect, test } from "vitest";
import { ADVERTISED, APIS } from "../../src/protocol/apis.js";
import type { AnyField, Fields } from "../../src/protocol/field.js";
import { ConsumerProtocolAssignment, ConsumerProtocolSubscription } from "../../src/protocol/internal/consumer-protocol.js";
import * as control from "../../src/protocol/internal/control-records.js";
import { GroupMetadataKey, GroupMetadataValue } from "../../src/protocol/internal/group-metadata.js";
import { OffsetCommitKey, OffsetCommitValue } from "../../src/protocol/internal/offset-commit.js";
import { ProducerSnapshot } from "../../src/protocol/internal/producer-snapshot.js";
import { TransactionLogKey, TransactionLogValue } from "../../src/protocol/internal/transaction-log.js";
import { NO_UUID } from "../../src/base/ids.js";
import { goldenJson, kafkaDeclarations } from "../golden.js";
import { anyMessage, plain, type AnyMessage } from "./vectors.js";

interface KafkaField {
  readonly name: string;
  readonly type: string;
  readonly versions?: string;
  readonly nullableVersions?: string;
  readonly taggedVersions?: string;
  readonly tag?: number;
  readonly default?: unknown;
  readonly ignorable?: boolean;
  readonly fields?: readonly KafkaField[];
}

interface KafkaMessage {
  readonly name: string;
  readonly apiKey?: number;
  readonly type: string;
  readonly validVersions: string;
  readonly flexibleVersions: string;
  readonly fields: readonly KafkaField[];
  readonly commonStructs?: readonly { readonly name: string; readonly fields: readonly KafkaField[] }[];
}

interface Range {
  readonly first: number;
  readonly last: number;
}

const NEVER: Range = { first: Infinity, last: -Infinity };

function range(text: string | undefined): Range {
  if (text === undefined || text === "none") return NEVER;
  if (text.endsWith("+")) return { first: Number(text.slice(0, -1)), last: Infinity };
  const [first, last] = text.split("-").map(Number);
  return { first: first ?? 0, last: last ?? first ?? 0 };
}

function both(a: Range, b: Range): Range {
  const first = Math.max(a.first, b.first);
  const last = Math.min(a.last, b.last);
  return first <= last ? { first, last } : NEVER;
}

/** A field in words that both sides can be brought to; everything is seen within the versions that the message and the parents have. */
interface Said {
  readonly name: string;
  readonly type: string;
  readonly versions: Range;
  readonly nulls: Range;
  readonly tag: number | null;
  readonly tagged: Range;
  readonly fallback: unknown;
  readonly ignorable: boolean | null; // null: it exists in all versions of its parent, so the question does not arise
  readonly members: readonly Said[] | null;
}

function kafkaSays(fields: readonly KafkaField[], within: Range, structs: ReadonlyMap<string, readonly KafkaField[]>): readonly Said[] {
  return fields.flatMap((field) => {
    const versions = both(range(field.versions ?? field.taggedVersions), within);
    if (versions === NEVER) return [];
    const struct = field.type.replace("[]", "");
    const inner = /^[A-Z]/.test(struct) ? (field.fields ?? structs.get(struct) ?? []) : null;
    return [{
      name: field.name.charAt(0).toLowerCase() + field.name.slice(1),
      type: field.type.replace(/[A-Z]\w*/, "struct"),
      versions,
      nulls: both(range(field.nullableVersions), versions),
      tag: field.tag ?? null,
      tagged: both(range(field.taggedVersions), versions),
      fallback: kafkaDefault(field),
      ignorable: sameRange(versions, within) ? null : field.ignorable === true,
      members: inner === null ? null : kafkaSays(inner, versions, structs),
    }];
  });
}

function kafkaDefault(field: KafkaField): unknown {
  const given = field.default === undefined || field.default === null ? null : String(field.default);
  if (given === "null") return null;
  if (field.type.startsWith("[]")) return [];
  if (/^[A-Z]/.test(field.type)) return "struct";
  switch (field.type) {
    case "string":
      return given ?? "";
    case "bool":
      return given === "true";
    case "int64":
      return BigInt(given ?? 0);
    case "uuid":
      return NO_UUID;
    case "bytes":
    case "records":
      return { bytes: "" };
    default:
      return Number(given ?? 0);
  }
}

function weSay(fields: Fields, within: Range): readonly Said[] {
  return Object.entries(fields).map(([name, field]) => {
    const versions = both({ first: field.since, last: field.until }, within);
    const element = field.kind.is === "array" ? field.kind.of : field;
    return {
      name,
      type: typeName(field),
      versions,
      nulls: both({ first: field.nullSince, last: Infinity }, versions),
      tag: field.tag,
      tagged: both({ first: field.taggedSince, last: Infinity }, versions),
      fallback: field.kind.is === "struct" && field.fallback !== null ? "struct" : plain(field.fallback),
      ignorable: sameRange(versions, within) ? null : field.ignorable,
      members: element.kind.is === "struct" ? weSay(element.kind.fields, versions) : null,
    };
  });
}

function typeName(field: AnyField): string {
  return field.kind.is === "array" ? `[]${typeName(field.kind.of)}` : field.kind.is;
}

function sameRange(a: Range, b: Range): boolean {
  return a.first === b.first && a.last === b.last;
}

function compare(ours: AnyMessage, kafka: KafkaMessage): void {
  const valid = { first: ours.versions[0], last: ours.versions[1] };
  const structs = new Map((kafka.commonStructs ?? []).map((one) => [one.name, one.fields]));
  const flexible = range(kafka.flexibleVersions).first;
  expect(ours.flexibleSince ?? Infinity).toBe(flexible);
  expect(weSay(ours.fields, valid)).toEqual(kafkaSays(kafka.fields, valid, structs));
}

const { messages } = kafkaDeclarations<{ readonly messages: readonly KafkaMessage[] }>("messages.json");

describe("messages", () => {
  test.each(APIS.flatMap((api) => [
    { name: `${api.name}Request`, message: anyMessage(api.request) },
    { name: `${api.name}Response`, message: anyMessage(api.response) },
  ]))("$name", ({ name, message }) => {
    const kafka = messages.find((one) => one.name === name);
    expect(kafka?.apiKey).toBe(message.key);
    expect(kafka?.type).toBe(message.type);
    if (kafka !== undefined) compare(message, kafka);
  });

  test("are in order of their keys, each key once", () => {
    const keys = APIS.map((api) => api.request.key);
    expect(keys).toEqual([...new Set(keys)].sort((a, b) => a - b));
  });

  test("what is advertised is what Kafka advertises, API by API", () => {
    interface Answer {
      readonly broker: { readonly answer: { readonly apiKeys: readonly { readonly apiKey: number; readonly minVersion: number; readonly maxVersion: number }[] } };
    }
    const kafka = new Map(goldenJson<Answer>("api-versions.json").broker.answer.apiKeys.map((one) => [one.apiKey, [one.minVersion, one.maxVersion]]));
    for (const { key, min, max } of ADVERTISED) expect([min, max], `API ${key}`).toEqual(kafka.get(key));
  });
});

describe("records of internal topics", () => {
  const { groups } = kafkaDeclarations<{ readonly groups: { readonly [name: string]: readonly KafkaMessage[] } }>("internal-records.json");
  const all = Object.values(groups).flat();
  const ours = { ConsumerProtocolAssignment, ConsumerProtocolSubscription, GroupMetadataKey, GroupMetadataValue, OffsetCommitKey, OffsetCommitValue, ProducerSnapshot, TransactionLogKey, TransactionLogValue, ...control };
  test.each(Object.entries(ours).map(([name, message]) => ({ name, message: anyMessage(message) })))("$name", ({ name, message }) => {
    const kafka = all.find((one) => one.name === name);
    expect(kafka).toBeDefined();
    if (kafka === undefined) return;
    expect(range(kafka.validVersions)).toEqual({ first: message.versions[0], last: message.versions[1] });
    compare(message, kafka);
  });
});
