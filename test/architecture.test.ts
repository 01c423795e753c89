/** The shape of the source tree, read from the source itself; then that each rule can fail. */
import * as fs from "node:fs";
import * as path from "node:path";
import { describe, expect, test } from "vitest";
import { checkCycles, checkDirections, checkGlobals, checkLengths, checkModules, checkModuleState, checkPackages, SIM_OUTSIDE } from "./architecture/rules.js";
import { source, type Source } from "./architecture/source.js";

/** Where each outside package is imported: one file, or one for each folder that may not see the other. */
const HOMES: { readonly [name: string]: readonly string[] } = {
  "@grpc/grpc-js": ["src/host/rpc-grpc.ts"],
  pino: ["src/host/logger.ts"],
  "prom-client": ["src/host/prometheus.ts"],
  "@node-rs/crc32": ["src/base/crc32c.ts"],
  commander: ["src/cli/program.ts"],
  msgpackr: ["src/metadata/records.ts", "src/metadata/snapshot.ts", "src/controller/wire.ts"],
  protobufjs: ["src/raft/wire.ts", "src/controller/wire.ts"],
  snappy: ["src/records/snappy.ts"],
  snappyjs: ["src/records/snappy.ts"],
  "lz4-napi": ["src/records/lz4.ts"],
  "@toondepauw/node-zstd": ["src/records/zstd.ts"],
  "@bokuweb/zstd-wasm": ["src/records/zstd.ts"],
};

const MOST_LINES = 400;
/** Longer than they should be, and not to grow: shorten one and lower its number here. */
const GROWN: { readonly [path: string]: number } = {
  "src/log/disk-log.ts": 407,
  "src/raft/driver.ts": 507,
  "src/replication/replica-manager.ts": 409,
};

const root = path.resolve(__dirname, "..");

function readSources(folder: string): Source[] {
  return fs.readdirSync(path.join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const name = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return readSources(name);
    return name.endsWith(".ts") ? [source(name, fs.readFileSync(path.join(root, name), "utf8"))] : [];
  });
}

describe("the source tree", () => {
  const sources = readSources("src");

  test("is there to be read", () => expect(sources.length).toBeGreaterThan(30));
  test("imports inward only", () => expect(checkDirections(sources)).toEqual([]));
  test("has no cycles", () => expect(checkCycles(sources)).toEqual([]));
  test("takes nothing of Node that reaches the world, outside host/", () => expect(checkModules(sources)).toEqual([]));
  test("uses no global that reaches the world, outside host/", () => expect(checkGlobals(sources)).toEqual([]));
  test("keeps no state at module level, outside host/", () => expect(checkModuleState(sources)).toEqual([]));
  test("keeps each package behind one file", () => expect(checkPackages(sources, HOMES)).toEqual([]));
  test("has files that one can read", () => expect(checkLengths(sources, MOST_LINES, GROWN)).toEqual([]));
});

describe("the rules themselves", () => {
  const one = (text: string, where = "src/log/sample.ts") => [source(where, text)];

  test.each([
    ["src/base/a.ts", 'import { x } from "../world/clock.js";'],
    ["src/raft/core/a.ts", 'import type { x } from "../../metadata/image.js";'],
    ["src/log/a.ts", 'export { x } from "../replication/replicas.js";'],
    ["src/broker/api/00-produce.ts", 'const x = await import("../../log/segment.js");'],
    ["src/metadata/a.ts", 'type X = import("../controller/decide.js").X;'],
    ["src/app/a.ts", 'import { main } from "../main.js";'],
    ["src/elsewhere/a.ts", 'import { x } from "../base/assert.js";'],
  ])("see an import that points outward: %s, %s", (where, text) => expect(checkDirections(one(text, where))).toHaveLength(1));

  test.each([
    ["src/raft/core/a.ts", 'import { x } from "../../base/assert.js"; import { y } from "./b.js";'],
    ["src/main.ts", 'import { x } from "./app/node.js";'],
    ["src/broker/a.ts", 'import { x } from "../protocol/frame.js";'],
  ])("let an import that points inward pass: %s, %s", (where, text) => expect(checkDirections(one(text, where))).toEqual([]));

  test("see a cycle, through any number of files, and not one of types alone", () => {
    const [a, b, c] = ['import { b } from "./b.js";', 'import { c } from "../log/c.js";', 'import { a } from "./a.js";'];
    const cycle = [source("src/log/a.ts", a ?? ""), source("src/log/b.ts", b ?? ""), source("src/log/c.ts", c ?? "")];
    expect(checkCycles(cycle)).toEqual(["src/log/a.ts → src/log/b.ts → src/log/c.ts → src/log/a.ts"]);
    expect(checkCycles([source("src/log/a.ts", a ?? ""), source("src/log/b.ts", 'import type { A } from "./a.js"; import { type B } from "./a.js";')])).toEqual([]);
  });

  test.each([
    'import * as fs from "node:fs";',
    'import { readFileSync } from "fs";',
    'const net = require("node:net");',
    'const tls = await import("node:tls");',
    'import type { Worker } from "node:worker_threads";',
    'import { randomBytes, createHash } from "node:crypto";',
    'import * as crypto from "node:crypto"; crypto.createHash("md5"); crypto.randomUUID();',
    'import { gzip, gunzipSync } from "node:zlib";',
    'import zlib from "node:zlib"; zlib.inflate(x, y);',
    'const name = "fs"; require(name);',
    'import { setTimeout } from "node:timers/promises";',
    'export * from "node:process";',
  ])("see a module that reaches the world: %s", (text) => {
    expect(checkModules(one(text))).toHaveLength(1);
    expect(checkModules(one(text, "src/host/sample.ts"))).toEqual([]);
  });

  test.each([
    'import { createHash, timingSafeEqual } from "node:crypto";',
    'import * as zlib from "node:zlib"; zlib.gunzipSync(x); zlib.constants.Z_BEST_SPEED;',
    'import { gzipSync, constants } from "node:zlib";',
  ])("let pure functions of Node pass: %s", (text) => expect(checkModules(one(text))).toEqual([]));

  test.each([
    "setTimeout(() => 1, 5);",
    "const later = setImmediate;",
    "const at = Date.now();",
    "const today = new Date();",
    "const text = Date();",
    "const x = Math.random();",
    "const { random } = Math;",
    "const id = crypto.randomUUID();",
    "if (process.env.HOME) f();",
    "const t = performance.now();",
    "console.log(1);",
    "queueMicrotask(f);",
    "globalThis.setTimeout(f);",
    "const f = { handler: fetch };",
    "new WeakRef(x);",
    "names.sort((a, b) => a.localeCompare(b));",
  ])("see a global that reaches the world: %s", (text) => {
    expect(checkGlobals(one(text))).toHaveLength(1);
    expect(checkGlobals(one(text, "src/host/sample.ts"))).toEqual([]);
  });

  test("let one file of sim/ touch the real world, and no other of it", () => {
    const text = 'import * as fs from "node:fs"; let count = Date.now();';
    expect([checkModules(one(text, SIM_OUTSIDE)), checkGlobals(one(text, SIM_OUTSIDE)), checkModuleState(one(text, SIM_OUTSIDE))]).toEqual([[], [], []]);
    for (const check of [checkModules, checkGlobals, checkModuleState]) expect(check(one(text, "src/sim/disk.ts"))).toHaveLength(1);
  });

  test.each([
    "Math.max(1, 2) + Math.floor(3.5);",
    "new Date(wallMs).toISOString();",
    "interface Fields { process: string; performance: number }",
    "clock.setTimeout(f); image.process; const o = { process: 1, Date: 2 };",
    "function f(process: number) { return process + 1; }",
    "class A { console() { return this.fetch; } }",
  ])("let what only looks like it pass: %s", (text) => expect(checkGlobals(one(text))).toEqual([]));

  test.each([
    "let count = 0;",
    "var count = 0;",
    "export let count = 0;",
    "const seen = new Map<string, number>();",
    "const seen: Set<string> = new Set();",
    "const list: string[] = [];",
    "const list = [1, 2];",
    "const cache = {};",
    "class A { static instances = 0; }",
  ])("see state at module level: %s", (text) => {
    expect(checkModuleState(one(text))).toHaveLength(1);
    expect(checkModuleState(one(text, "src/host/sample.ts"))).toEqual([]);
  });

  test.each([
    "const NAMES: readonly string[] = [];",
    "const NAMES = [1, 2] as const;",
    "const TABLE: ReadonlyMap<string, number> = new Map();",
    "const LIMITS = { most: 4 };",
    "function f() { let x = 0; const seen = new Map(); }",
    "declare const brand: unique symbol;",
    "class A { static readonly most = 4; #own = 0; }",
  ])("let constants pass: %s", (text) => expect(checkModuleState(one(text))).toEqual([]));

  test("see a package that is not behind its file", () => {
    const homes = { pino: ["src/host/logger.ts"] };
    expect(checkPackages(one('import pino from "pino";', "src/host/logger.ts"), homes)).toEqual([]);
    expect(checkPackages(one('import pino from "pino";', "src/host/other.ts"), homes)).toHaveLength(1);
    expect(checkPackages(one('require("left/right");'), homes)).toHaveLength(1);
    expect(checkPackages(one('import { x } from "@scope/name/inner";'), { "@scope/name": ["src/log/sample.ts"] })).toEqual([]);
  });

  test("see a file that has grown", () => {
    const text = "x;\n".repeat(10);
    expect(checkLengths(one(text), 10, {})).toEqual([]);
    expect(checkLengths(one(text), 9, {})).toHaveLength(1);
    expect(checkLengths(one(text), 9, { "src/log/sample.ts": 10 })).toEqual([]);
  });
});
