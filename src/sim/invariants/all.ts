/** Every invariant, by name. */
import type { Invariant } from "./invariant.js";

export const INVARIANTS: readonly Invariant[] = [];
