/** The rules of design §3 and §4, each a function from sources to complaints; none is a complaint. */
import ts from "typescript";
import { globalsUsed, type Import, importsOf, packageOf, type Source, walk } from "./source.js";

/** What each folder of src/ may import beside itself. Inward only; what is not listed is forbidden. */
const INWARD: { readonly [folder: string]: readonly string[] } = {
  base: [],
  world: ["base"],
  host: ["base", "world"],
  sim: ["base", "world", "protocol", "records", "raft", "metadata", "log", "coordination", "controller", "replication", "coordinator", "broker", "app"], // it looks into everything, and nothing but the command line knows it
  protocol: ["base"],
  records: ["base", "world", "protocol"],
  raft: ["base", "world"], // has not heard of topics
  log: ["base", "world", "protocol", "records"], // has not heard of replicas
  metadata: ["base", "world", "protocol"],
  security: ["base", "world", "protocol"],
  coordination: ["base", "world", "protocol", "metadata"], // not raft: another quorum fits it too
  controller: ["base", "world", "protocol", "raft", "metadata", "coordination"],
  replication: ["base", "world", "protocol", "records", "metadata", "log", "coordination"],
  coordinator: ["base", "world", "protocol", "records", "metadata", "log", "coordination", "replication"],
  broker: ["base", "world", "protocol", "records", "metadata", "security", "coordination", "replication", "coordinator"],
  observe: ["base", "world", "protocol", "records", "metadata", "raft", "log", "coordination", "controller", "replication", "coordinator", "broker"],
  console: ["base", "world", "protocol", "metadata", "observe"],
  cli: ["base", "world", "host", "protocol", "app", "sim"],
  app: ["base", "world", "host", "protocol", "records", "raft", "metadata", "log", "security", "coordination", "controller", "replication", "coordinator", "broker", "observe", "console"],
  lab: ["base", "world", "host", "protocol", "metadata", "coordination", "app"],
};

/** In sim/ one file may touch the real world: it gives the simulation its turns between real macrotasks, and makes the globals throw meanwhile. */
export const SIM_OUTSIDE = "src/sim/outside.ts";

/** Who may touch the real world. */
const isHost = (path: string) => path.startsWith("src/host/") || path === SIM_OUTSIDE;

export function folderOf(path: string): string | null {
  return /^src\/([^/]+)\/.+/.exec(path)?.[1] ?? null; // null: src/main.ts and src/index.ts, which join everything
}

export function checkDirections(sources: readonly Source[]): string[] {
  const complaints: string[] = [];
  for (const one of sources.flatMap(importsOf)) {
    const [from, to] = [folderOf(one.from), folderOf(one.module)];
    if (from === null || !one.module.startsWith("src/")) continue;
    const allowed = INWARD[from];
    if (allowed === undefined) complaints.push(`${one.from}: the folder ${from} has no place in the order`);
    else if (to === null || (to !== from && !allowed.includes(to))) complaints.push(`${one.from} imports ${one.module}, which points outward`);
  }
  return complaints;
}

/** Cycles between files, through what exists at run time. (Types may refer to each other: they are gone by then.) */
export function checkCycles(sources: readonly Source[]): string[] {
  const edges = new Map(sources.map((file) => [file.path, importsOf(file).filter((one) => !one.typesOnly).map((one) => one.module)]));
  const state = new Map<string, "open" | "done">();
  const complaints: string[] = [];
  const visit = (path: string, trail: readonly string[]) => {
    if (state.get(path) === "done" || !edges.has(path)) return;
    if (state.get(path) === "open") return void complaints.push([...trail.slice(trail.indexOf(path)), path].join(" → "));
    state.set(path, "open");
    for (const to of edges.get(path) ?? []) visit(to, [...trail, path]);
    state.set(path, "done");
  };
  for (const file of sources) visit(file.path, []);
  return complaints;
}

const PURE_MODULES: { readonly [module: string]: RegExp } = {
  "node:crypto": /^(createHash|createHmac|timingSafeEqual|Hash)$/,
  "node:zlib": /^([a-zA-Z]+Sync|constants|crc32)$/,
  "node:buffer": /^(Buffer|constants)$/,
  "node:util": /^(TextDecoder|TextEncoder)$/,
};

/** Built-in modules outside host/: only those, and only those names of them, that compute and do nothing else. */
export function checkModules(sources: readonly Source[]): string[] {
  const complaints: string[] = [];
  for (const file of sources) {
    if (isHost(file.path)) continue;
    for (const one of importsOf(file)) {
      if (one.module.startsWith("(")) complaints.push(`${file.path} imports ${one.module}`);
      if (!one.module.startsWith("node:")) continue;
      const pure = PURE_MODULES[one.module];
      if (pure === undefined) complaints.push(`${file.path} imports ${one.module}, which only host/ may`);
      else complaints.push(...namesTaken(file, one).filter((name) => !pure.test(name)).map((name) => `${file.path} takes ${name} of ${one.module}, which only host/ may`));
    }
  }
  return complaints;
}

/** For `import * as zlib`, `import zlib` and `require`: the properties that are read of it. */
function namesTaken(file: Source, one: Import): readonly string[] {
  if (one.names.length > 0) return one.names;
  const aliases = new Set<string>();
  const names: string[] = [];
  walk(file.tree, (node) => {
    if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier) && `node:${node.moduleSpecifier.text.replace(/^node:/, "")}` === one.module) {
      const bindings = node.importClause?.namedBindings;
      if (bindings !== undefined && ts.isNamespaceImport(bindings)) aliases.add(bindings.name.text);
      if (node.importClause?.name !== undefined) aliases.add(node.importClause.name.text);
    }
  });
  walk(file.tree, (node) => {
    if (ts.isPropertyAccessExpression(node) && ts.isIdentifier(node.expression) && aliases.has(node.expression.text)) names.push(node.name.text);
  });
  return aliases.size === 0 ? ["(the whole module)"] : names;
}

const GLOBALS = new Set([
  "setTimeout", "setInterval", "setImmediate", "clearTimeout", "clearInterval", "clearImmediate", "queueMicrotask",
  "process", "performance", "Date", "Math", "crypto", "console", "fetch", "WebSocket", "Worker", "MessageChannel", "BroadcastChannel",
  "WeakRef", "FinalizationRegistry", "globalThis", "global", "Intl", "Atomics", "eval", "Function",
]);
const LOCALE = /^(toLocale\w+|localeCompare)$/;

/** Globals that reach the real world or depend on it. Pure uses of them are let through: `Math.max`, `new Date(wallMs)`, `Date.UTC`. */
export function checkGlobals(sources: readonly Source[]): string[] {
  const complaints: string[] = [];
  for (const file of sources) {
    if (isHost(file.path)) continue;
    for (const { name, node } of globalsUsed(file, GLOBALS)) {
      const use = node.parent;
      const property = ts.isPropertyAccessExpression(use) ? use.name.text : null;
      if (name === "Math" && property !== "random" && property !== null) continue;
      if (name === "Date" && (property === "UTC" || property === "parse" || (ts.isNewExpression(use) && (use.arguments?.length ?? 0) > 0))) continue;
      complaints.push(`${file.path}:${lineOf(file, node)} uses ${name}${property === null ? "" : `.${property}`}`);
    }
    walk(file.tree, (node) => {
      if (ts.isPropertyAccessExpression(node) && LOCALE.test(node.name.text)) complaints.push(`${file.path}:${lineOf(file, node)} uses ${node.name.text}, which differs between machines`);
    });
  }
  return complaints;
}

const COLLECTIONS = new Set(["Map", "Set", "WeakMap", "WeakSet", "Array"]);

/** Module-level state outside host/: two nodes in one process would share it. Tables are fine when their type is read-only. */
export function checkModuleState(sources: readonly Source[]): string[] {
  const complaints: string[] = [];
  for (const file of sources) {
    if (isHost(file.path)) continue;
    for (const statement of file.tree.statements) {
      if (ts.isClassDeclaration(statement)) {
        for (const member of statement.members) {
          const kinds = ts.canHaveModifiers(member) ? (ts.getModifiers(member) ?? []).map((one) => one.kind) : [];
          if (ts.isPropertyDeclaration(member) && kinds.includes(ts.SyntaxKind.StaticKeyword) && !kinds.includes(ts.SyntaxKind.ReadonlyKeyword)) complaints.push(`${file.path}:${lineOf(file, member)} has a static property that can change`);
        }
      }
      if (!ts.isVariableStatement(statement) || statement.modifiers?.some((one) => one.kind === ts.SyntaxKind.DeclareKeyword) === true) continue;
      if ((statement.declarationList.flags & ts.NodeFlags.Const) === 0) complaints.push(`${file.path}:${lineOf(file, statement)} has a module-level variable`);
      for (const declaration of statement.declarationList.declarations) {
        if (isMutableCollection(declaration)) complaints.push(`${file.path}:${lineOf(file, declaration)} has a module-level collection that can change; give it a read-only type`);
      }
    }
  }
  return complaints;
}

function isMutableCollection(declaration: ts.VariableDeclaration): boolean {
  const value = declaration.initializer;
  const type = declaration.type?.getText() ?? "";
  if (value === undefined || /^(Readonly\w*<|readonly |\{ readonly )/.test(type)) return false;
  if (ts.isArrayLiteralExpression(value)) return type === "" || /\[\]$|^(Array|Map|Set)</.test(type); // a named type speaks for itself
  if (ts.isObjectLiteralExpression(value)) return value.properties.length === 0;
  return ts.isNewExpression(value) && ts.isIdentifier(value.expression) && COLLECTIONS.has(value.expression.text);
}

/** Each outside package lives behind one file of ours, or the few that are named. */
export function checkPackages(sources: readonly Source[], homes: { readonly [name: string]: readonly string[] }): string[] {
  return sources.flatMap(importsOf).flatMap((one) => {
    const name = packageOf(one.module);
    if (name === null) return [];
    return homes[name]?.includes(one.from) === true ? [] : [`${one.from} imports the package ${name}, which lives behind ${homes[name]?.join(" and ") ?? "no file yet"}`];
  });
}

/** @param grown files that are longer already: they may not grow further */
export function checkLengths(sources: readonly Source[], mostLines: number, grown: { readonly [path: string]: number }): string[] {
  return sources.flatMap((file) => {
    const lines = file.text.split("\n").length - 1;
    const limit = grown[file.path] ?? mostLines;
    return lines > limit ? [`${file.path} has ${lines} lines, ${limit} at most: a decision in it asks for a name of its own`] : [];
  });
}

function lineOf(file: Source, node: ts.Node): number {
  return file.tree.getLineAndCharacterOfPosition(node.getStart()).line + 1;
}
