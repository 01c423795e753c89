// Builds of src/ with and without a mutant. Files are transpiled one by one, without types, and kept by their content: a mutant costs one or two of them.
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import ts from "typescript";
import { applyHunks } from "./patch.mjs";

const OPTIONS = { target: ts.ScriptTarget.ESNext, module: ts.ModuleKind.CommonJS, esModuleInterop: true, isolatedModules: true, useDefineForClassFields: true };

export class Builder {
  #root;
  #source;
  #cache;
  #work = mkdtempSync(join(tmpdir(), "kontiki-mutants-"));
  #texts = new Map();

  /** @param source the folder that holds src/ */
  constructor(root, source = root) {
    this.#root = root;
    this.#source = source;
    this.#cache = join(root, "node_modules", ".cache", "mutants");
    mkdirSync(this.#cache, { recursive: true });
    for (const path of readdirSync(join(source, "src"), { recursive: true })) if (path.endsWith(".ts")) this.#texts.set(`src/${path.replaceAll("\\", "/")}`, readFileSync(join(source, "src", path), "utf8"));
  }

  /** Of all sources: what was found out about the unchanged build is true of another one with the same hash. */
  get hash() {
    const hash = createHash("sha256");
    for (const [path, text] of [...this.#texts].sort(([a], [b]) => (a < b ? -1 : 1))) hash.update(`${path}\0${text}\0`);
    return hash.digest("hex").slice(0, 16);
  }

  /** @returns the folder of the unchanged build */
  base() {
    const folder = join(this.#work, "base");
    if (existsSync(folder)) return folder;
    for (const [path, text] of this.#texts) this.#emit(folder, path, text);
    symlinkSync(join(this.#root, "node_modules"), join(folder, "node_modules"));
    writeFileSync(join(folder, "package.json"), '{ "type": "commonjs" }\n');
    return folder;
  }

  /** @returns the folder of a build with this mutant; @throws PatchError */
  mutant({ name, files }) {
    const texts = [...files].map(([path, hunks]) => [path, applyHunks(path, this.#texts.get(path) ?? "", hunks)]);
    const folder = join(this.#work, name);
    cpSync(this.base(), folder, { recursive: true, verbatimSymlinks: true });
    for (const [path, text] of texts) this.#emit(folder, path, text);
    return folder;
  }

  drop(name) {
    rmSync(join(this.#work, name), { recursive: true, force: true });
  }

  close() {
    rmSync(this.#work, { recursive: true, force: true });
  }

  #emit(folder, path, text) {
    const to = join(folder, "dist", path.slice("src/".length).replace(/\.ts$/, ".js"));
    mkdirSync(dirname(to), { recursive: true });
    const kept = join(this.#cache, `${createHash("sha256").update(`${ts.version}\0${text}`).digest("hex")}.js`);
    if (!existsSync(kept)) writeFileSync(kept, ts.transpileModule(text, { fileName: path, compilerOptions: OPTIONS }).outputText);
    cpSync(kept, to);
  }
}
