/** What the handlers of admin requests share. */

const ADMIN_TIMEOUT_MAX_MS = 300_000;

/** A client's timeout, within bounds: 0 or less still gives the controller one chance. */
export function adminDeadline(timeoutMs: number): number {
  return Math.min(Math.max(timeoutMs, 1_000), ADMIN_TIMEOUT_MAX_MS);
}

/** Splits items into those named once and the names that come more than once, which are refused. */
export function refuseTwice<Item>(items: readonly Item[], nameOf: (item: Item) => string): { readonly once: readonly Item[]; readonly twice: readonly string[] } {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(nameOf(item), (counts.get(nameOf(item)) ?? 0) + 1);
  return {
    once: items.filter((item) => counts.get(nameOf(item)) === 1),
    twice: [...counts].filter(([, count]) => count > 1).map(([name]) => name),
  };
}
