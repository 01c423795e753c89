export interface Hunk {
  readonly before: string;
  readonly after: string;
}

export interface Mutant {
  readonly name: string;
  readonly breaks: string;
  readonly seenBy: readonly string[];
  readonly files: ReadonlyMap<string, readonly Hunk[]>;
}

export class PatchError extends Error {}
export function readMutants(folder: string): Mutant[];
export function parsePatch(name: string, text: string): Mutant;
export function changedLines(mutant: Mutant): number;
export function applyHunks(where: string, text: string, hunks: readonly Hunk[]): string;
