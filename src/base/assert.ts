/** A broken invariant is a bug: nobody catches it to carry on, the node stops. */
export class InvariantError extends Error {
  override readonly name = "InvariantError";
}

/** States what must hold; stays on in production. */
export function assert(holds: boolean, says: string): asserts holds {
  if (!holds) throw new InvariantError(says);
}

/** Ends a switch over a union: a new member does not compile until it has its case. */
export function unreachable(value: never): never {
  throw new InvariantError(`unreachable: ${String(value)}`);
}
