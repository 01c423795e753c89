/** What the architecture rules look at: each file's imports, uses of globals and module-level state, from its syntax tree. */
import ts from "typescript";

export interface Source {
  /** From the repository's root, with `/`. */
  readonly path: string;
  readonly text: string;
  readonly tree: ts.SourceFile;
}

export interface Import {
  readonly from: string;
  /** Relative imports as a path from the repository's root (.ts), packages by name, built-in modules with `node:`. */
  readonly module: string;
  /** Names taken; empty if it is taken whole. */
  readonly names: readonly string[];
  readonly typesOnly: boolean;
}

export function source(path: string, text: string): Source {
  return { path, text, tree: ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true) };
}

export function importsOf(file: Source): readonly Import[] {
  const found: Import[] = [];
  const add = (module: string, names: readonly string[], typesOnly: boolean) => void found.push({ from: file.path, module: resolve(file.path, module), names, typesOnly });
  walk(file.tree, (node) => {
    if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
      const bindings = node.importClause?.namedBindings;
      const named = bindings !== undefined && ts.isNamedImports(bindings) ? bindings.elements : null;
      const typesOnly = node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword || (named !== null && named.length > 0 && node.importClause?.name === undefined && named.every((one) => one.isTypeOnly));
      add(node.moduleSpecifier.text, named?.map((one) => (one.propertyName ?? one.name).text) ?? [], typesOnly);
    } else if (ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined && ts.isStringLiteral(node.moduleSpecifier)) {
      add(node.moduleSpecifier.text, [], node.isTypeOnly);
    } else if (ts.isCallExpression(node) && (node.expression.kind === ts.SyntaxKind.ImportKeyword || (ts.isIdentifier(node.expression) && node.expression.text === "require"))) {
      const [argument] = node.arguments;
      add(argument !== undefined && ts.isStringLiteral(argument) ? argument.text : "(a computed name)", [], false);
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument) && ts.isStringLiteral(node.argument.literal)) {
      add(node.argument.literal.text, [], true);
    } else if (ts.isImportEqualsDeclaration(node) && ts.isExternalModuleReference(node.moduleReference) && ts.isStringLiteral(node.moduleReference.expression)) {
      add(node.moduleReference.expression.text, [], node.isTypeOnly);
    }
  });
  return found;
}

const BUILT_IN = new Set(["assert", "async_hooks", "buffer", "child_process", "cluster", "crypto", "dgram", "dns", "events", "fs", "fs/promises", "http", "http2", "https", "module", "net", "os", "path", "perf_hooks", "process", "readline", "stream", "timers", "timers/promises", "tls", "tty", "url", "util", "v8", "vm", "worker_threads", "zlib"]);

function resolve(from: string, module: string): string {
  if (BUILT_IN.has(module)) return `node:${module}`;
  if (!module.startsWith(".")) return module;
  const parts = from.split("/").slice(0, -1);
  for (const part of module.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== ".") parts.push(part);
  }
  return parts.join("/").replace(/\.js$/, ".ts");
}

/** `@scope/name/inner` is of the package `@scope/name`. */
export function packageOf(module: string): string | null {
  if (module.startsWith("node:") || module.startsWith("src/") || module.startsWith("(")) return null;
  return module.split("/").slice(0, module.startsWith("@") ? 2 : 1).join("/");
}

/** Uses of a name that the file itself does not declare, so of a global: with the node, for a look at what is done with it. */
export function globalsUsed(file: Source, names: ReadonlySet<string>): readonly { readonly name: string; readonly node: ts.Identifier }[] {
  const declared = new Set<string>();
  const used: { name: string; node: ts.Identifier }[] = [];
  walk(file.tree, (node) => {
    if (!ts.isIdentifier(node)) return;
    const parent = node.parent;
    const declares =
      ((ts.isVariableDeclaration(parent) || ts.isParameter(parent) || ts.isFunctionDeclaration(parent) || ts.isClassDeclaration(parent) || ts.isBindingElement(parent)) && parent.name === node) ||
      ts.isImportSpecifier(parent) || ts.isImportClause(parent) || ts.isNamespaceImport(parent);
    if (declares) declared.add(node.text);
    else if (names.has(node.text) && isValue(node)) used.push({ name: node.text, node });
  });
  return used.filter(({ name }) => !declared.has(name));
}

/** Not a property's name, a label, or a part of a type. */
function isValue(node: ts.Identifier): boolean {
  const parent = node.parent;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  if (ts.isPropertyAssignment(parent) || ts.isPropertySignature(parent) || ts.isPropertyDeclaration(parent) || ts.isMethodDeclaration(parent) || ts.isMethodSignature(parent)) return parent.name !== node;
  if (ts.isGetAccessor(parent) || ts.isSetAccessor(parent)) return false;
  return !ts.isTypeNode(parent) && !ts.isQualifiedName(parent);
}

export function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  ts.forEachChild(node, (child) => walk(child, visit));
}
