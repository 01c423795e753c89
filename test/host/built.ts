/** Compiles base/, world/ and host/ without type checks into a temporary folder, for what runs in other threads and processes. */
import * as fs from "node:fs";
import * as path from "node:path";
import ts from "typescript";

export interface Built {
  readonly folder: string;
  /** Writes a script beside the compiled folders and returns its path. `require("./host/….js")` works in it. */
  script(name: string, text: string): string;
  remove(): void;
}

const root = path.resolve(__dirname, "../..");

export function buildHost(): Built {
  const cache = path.join(root, "node_modules", ".cache"); // below node_modules, where the packages are found
  fs.mkdirSync(cache, { recursive: true });
  const folder = fs.mkdtempSync(path.join(cache, "host-test-"));
  fs.writeFileSync(path.join(folder, "package.json"), '{"type":"commonjs"}');
  for (const part of ["base", "world", "host"]) {
    fs.mkdirSync(path.join(folder, part));
    for (const file of fs.readdirSync(path.join(root, "src", part))) {
      const source = fs.readFileSync(path.join(root, "src", part, file), "utf8");
      const { outputText } = ts.transpileModule(source, { compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022, esModuleInterop: true } });
      fs.writeFileSync(path.join(folder, part, file.replace(/\.ts$/, ".js")), outputText);
    }
  }
  return {
    folder,
    script(name, text) {
      const file = path.join(folder, name);
      fs.writeFileSync(file, text);
      return file;
    },
    remove: () => fs.rmSync(folder, { recursive: true, force: true }),
  };
}
