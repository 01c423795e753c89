/**
 * Names: the tree as the page cache shows it, and as it would be found without power. Each creation, renaming and removal is an operation that
 * is pending until its folder is synced. When power is lost the pending ones are kept as a prefix (a journal, as of ext4) or any of them
 * (all that the interface promises); a renaming is kept whole or not at all.
 */
import { DiskFault } from "../world/disk.js";
import { FileContent } from "./file-content.js";
import type { Seeded } from "./seeded.js";

export type TreeNode = Folder | FileContent;

export class Folder {
  readonly kind = "directory";
  readonly entries = new Map<string, TreeNode>();
  durable = new Map<string, TreeNode>();
}

/** How names are kept: "journal" syncs and loses them in order of time, "any" each for itself. */
export type NameOrder = "journal" | "any";

interface NameChange {
  readonly folder: Folder;
  readonly name: string;
  readonly node: TreeNode | null;
}

export type NameOperation = readonly NameChange[];

export class FileTree {
  readonly root = new Folder();
  usedBytes = 0;
  readonly order: NameOrder;
  #pending: NameOperation[] = [];

  constructor(order: NameOrder) {
    this.order = order;
  }

  get pendingNames(): number {
    return this.#pending.length;
  }

  /** @param path absolute, without . and .. */
  find(path: string): TreeNode | null {
    let node: TreeNode | undefined = this.root;
    for (const name of partsOf(path)) {
      if (node?.kind !== "directory") return null;
      node = node.entries.get(name);
    }
    return node ?? null;
  }

  findFile(path: string): FileContent | null {
    const node = this.find(path);
    if (node?.kind === "directory") throw new DiskFault("failed", path, "not a file");
    return node;
  }

  createFile(path: string): FileContent {
    const { folder, name } = this.#place(path);
    const file = new FileContent();
    this.#change([{ folder, name, node: file }]);
    return file;
  }

  makeDirectory(path: string): void {
    let folder = this.root;
    for (const name of partsOf(path)) {
      let next = folder.entries.get(name);
      if (next?.kind === "file") throw new DiskFault("failed", path, "a file is in the way");
      if (next === undefined) {
        next = new Folder();
        this.#change([{ folder, name, node: next }]);
      }
      folder = next;
    }
  }

  rename(from: string, to: string): void {
    const node = this.find(from);
    if (node === null) throw new DiskFault("missing", from, "no such file");
    const [source, target] = [this.#place(from), this.#place(to)];
    if (source.folder === target.folder && source.name === target.name) return;
    const replaced = target.folder.entries.get(target.name);
    if (replaced !== undefined && replaced.kind !== node.kind) throw new DiskFault("failed", to, "something of another kind is there");
    if (replaced?.kind === "directory" && replaced.entries.size > 0) throw new DiskFault("failed", to, "the folder is not empty");
    this.#change([{ ...source, node: null }, { ...target, node }]);
  }

  unlink(path: string): void {
    const node = this.find(path);
    if (node === null) return;
    if (node.kind === "directory") throw new DiskFault("failed", path, "a folder is not unlinked");
    this.#change([{ ...this.#place(path), node: null }]);
  }

  removeTree(path: string): void {
    const node = this.find(path);
    if (node === null) return;
    if (node.kind === "directory") for (const name of [...node.entries.keys()]) this.removeTree(`${path}/${name}`);
    this.#change([{ ...this.#place(path), node: null }]);
  }

  /** What a sync of the folder that begins now will make durable: with it, whatever came before it to the same names. */
  beginSync(folder: Folder): readonly NameOperation[] {
    if (this.order === "journal") return [...this.#pending];
    const covered: NameOperation[] = [];
    const names = new Map<Folder, Set<string>>();
    for (let i = this.#pending.length - 1; i >= 0; i--) {
      const operation = this.#pending[i] ?? [];
      if (!operation.some((change) => change.folder === folder || names.get(change.folder)?.has(change.name) === true)) continue;
      for (const change of operation) names.set(change.folder, (names.get(change.folder) ?? new Set()).add(change.name));
      covered.unshift(operation);
    }
    return covered;
  }

  completeSync(covered: readonly NameOperation[]): void {
    if (covered.length === 0) return;
    const due = new Set(covered);
    this.#pending = this.#pending.filter((operation) => {
      if (!due.has(operation)) return true;
      keep(operation);
      return false;
    });
  }

  /** Everything of this folder's own name and its parents is on the disk, as for a mount point. */
  makeDurable(): void {
    for (const operation of this.#pending) keep(operation);
    this.#pending = [];
  }

  /** @returns operations that are lost */
  losePower(seeded: Seeded, survives: "none" | "all" | "mixed"): number {
    const pending = this.#pending;
    this.#pending = [];
    const prefix = survives === "none" ? 0 : survives === "all" ? pending.length : seeded.below(pending.length + 1);
    const kept = pending.filter((_, i) => (this.order === "journal" || survives !== "mixed" ? i < prefix : seeded.chance(0.5)));
    for (const operation of kept) keep(operation);
    this.usedBytes = 0;
    this.#reread(this.root, new Set());
    return pending.length - kept.length;
  }

  /** Every file that can be reached, in order of path. */
  files(view: "entries" | "durable" = "entries"): readonly { readonly path: string; readonly file: FileContent }[] {
    const found: { path: string; file: FileContent }[] = [];
    const visit = (folder: Folder, path: string) => {
      for (const name of [...folder[view].keys()].sort()) {
        const node = folder[view].get(name);
        if (node?.kind === "file") found.push({ path: `${path}/${name}`, file: node });
        else if (node !== undefined) visit(node, `${path}/${name}`);
      }
    };
    visit(this.root, "");
    return found;
  }

  durableFile(path: string): FileContent | null {
    let node: TreeNode | undefined = this.root;
    for (const name of partsOf(path)) node = node?.kind === "directory" ? node.durable.get(name) : undefined;
    return node?.kind === "file" ? node : null;
  }

  /** To be called when a file has lost a name or a handle. */
  free(file: FileContent): void {
    if (file.links === 0 && file.handles === 0) this.usedBytes -= file.size;
  }

  #change(operation: NameOperation): void {
    for (const { folder, name, node } of operation) {
      const before = folder.entries.get(name);
      if (node === null) folder.entries.delete(name);
      else folder.entries.set(name, node);
      if (node?.kind === "file") node.links++;
      if (before?.kind === "file") {
        before.links--;
        if (node !== before && !operation.some((other) => other.node === before)) this.free(before);
      }
    }
    this.#pending.push(operation);
  }

  #reread(folder: Folder, seen: Set<TreeNode>): void {
    folder.entries.clear();
    for (const [name, node] of folder.durable) {
      folder.entries.set(name, node);
      if (node.kind === "file") {
        if (!seen.has(node)) node.links = 0;
        node.links++;
      }
      if (seen.has(node)) continue;
      seen.add(node);
      if (node.kind === "directory") this.#reread(node, seen);
    }
  }

  #place(path: string): { readonly folder: Folder; readonly name: string } {
    const slash = path.lastIndexOf("/");
    const name = path.slice(slash + 1);
    const folder = this.find(path.slice(0, slash));
    if (name === "") throw new DiskFault("failed", path, "the root has no name");
    if (folder?.kind !== "directory") throw new DiskFault("missing", path, "no such folder");
    return { folder, name };
  }
}

function keep(operation: NameOperation): void {
  for (const { folder, name, node } of operation) {
    if (node === null) folder.durable.delete(name);
    else folder.durable.set(name, node);
  }
}

function partsOf(path: string): readonly string[] {
  return path.split("/").filter((part) => part !== "");
}
