/** How long to wait before the next try: doubles up to a limit, with a draw so that many do not try together. */
export function backoffMs(attempt: number, limits: { readonly firstMs: number; readonly maxMs: number }, draw: number): number {
  const full = Math.min(limits.maxMs, limits.firstMs * 2 ** Math.min(attempt, 30));
  return full * (0.75 + draw * 0.25);
}
