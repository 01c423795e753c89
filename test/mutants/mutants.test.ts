/** Mutants are patches against a source that moves: each still applies, is small, and type-checks. Whether they are caught is run.mjs's to tell. */
import * as fs from "node:fs";
import * as path from "node:path";
import ts from "typescript";
import { describe, expect, test } from "vitest";
import { INVARIANTS } from "../../src/sim/invariants/all.js";
import { applyHunks, changedLines, parsePatch, readMutants, type Mutant } from "./patch.mjs";

const root = path.resolve(__dirname, "../..");
const mutants = readMutants(__dirname);
const MOST_LINES = 5;

function readSource(file: string): string {
  return fs.readFileSync(path.join(root, file), "utf8");
}

function mutated(mutant: Mutant, read: (file: string) => string): ReadonlyMap<string, string> {
  return new Map([...mutant.files].map(([file, hunks]) => [file, applyHunks(file, read(file), hunks)]));
}

describe("mutants", () => {
  test("are enough", () => expect(mutants.length).toBeGreaterThanOrEqual(28));
  test.each(mutants.map((mutant) => [mutant.name, mutant] as const))("%s applies and is small", (_, mutant) => {
    for (const [file, text] of mutated(mutant, readSource)) expect(text).not.toBe(readSource(file));
    expect(changedLines(mutant)).toBeLessThanOrEqual(MOST_LINES);
  });

  test("are meant for each invariant", () => {
    const meant = new Set(mutants.flatMap(({ seenBy }) => seenBy));
    expect(INVARIANTS.map(({ name }) => name).filter((name) => !meant.has(name))).toEqual([]);
  });

  test("type-check", () => {
    // As many as go together into one program: the same file's patches mostly do not touch each other.
    let left: readonly Mutant[] = mutants;
    for (let layer = 1; left.length > 0; layer++) {
      const texts = new Map<string, string>();
      const later: Mutant[] = [];
      for (const mutant of left) {
        try {
          for (const [file, text] of mutated(mutant, (name) => texts.get(name) ?? readSource(name))) texts.set(file, text);
        } catch {
          later.push(mutant); // another one has changed the same lines
        }
      }
      expect(typeErrors(texts), `layer ${layer}`).toEqual([]);
      expect(later.length).toBeLessThan(left.length);
      left = later;
    }
  }, 180_000);
});

describe("patches", () => {
  const text = (diff: string) => `Breaks: a rule.\nSeen by: an-invariant.\n\n--- a/src/log/a.ts\n+++ b/src/log/a.ts\n@@ -1,2 +1,2 @@\n${diff}\n`;

  test("are found wherever their lines have gone", () => {
    const { files } = parsePatch("one", text(" a\n-b\n+c"));
    expect(applyHunks("a.ts", "x\ny\na\nb\nz\n", files.get("src/log/a.ts") ?? [])).toBe("x\ny\na\nc\nz\n");
  });

  test("that no longer apply, or apply twice, are failures", () => {
    const hunks = parsePatch("one", text(" a\n-b\n+c")).files.get("src/log/a.ts") ?? [];
    expect(() => applyHunks("a.ts", "a\nd\n", hunks)).toThrow("no longer has");
    expect(() => applyHunks("a.ts", "a\nb\na\nb\n", hunks)).toThrow("more than once");
  });

  test("leave the simulator alone, and say what they break", () => {
    expect(() => parsePatch("one", text("-a").replaceAll("src/log", "src/sim"))).toThrow("not the simulator");
    expect(() => parsePatch("one", text("-a").replace("Seen by", "Seen"))).toThrow("Seen by");
  });
});

/** Errors in these files, as they would be. Names that a mutant leaves unused are its own affair. */
function typeErrors(texts: ReadonlyMap<string, string>): readonly string[] {
  const config = ts.getParsedCommandLineOfConfigFile(path.join(root, "tsconfig.build.json"), { noEmit: true, noUnusedLocals: false, noUnusedParameters: false, incremental: false }, { ...ts.sys, onUnRecoverableConfigFileDiagnostic: () => undefined });
  if (config === undefined) throw new Error("tsconfig.build.json cannot be read");
  const { tsBuildInfoFile: _, ...options } = config.options;
  const host = ts.createCompilerHost(options);
  const over = new Map([...texts].map(([file, text]) => [path.join(root, file), text]));
  const readFile = host.readFile.bind(host);
  host.readFile = (file) => over.get(path.resolve(file)) ?? readFile(file);
  const files = [...over.keys()];
  const program = ts.createProgram(files, options, host);
  return files.flatMap((file) => {
    const source = program.getSourceFile(file);
    return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)].map((one) => `${path.relative(root, file)}: ${ts.flattenDiagnosticMessageText(one.messageText, "\n")}`);
  });
}
