/**
 * Loads a package when it is first used, for a native one costs up to ten milliseconds and megabytes that most nodes never need. What is kept is what
 * the package is, the same for every node in the process, so it is no state that they could share by mistake.
 */
export function lazy<T>(load: () => T): () => T {
  let loaded: { readonly value: T } | null = null;
  return () => (loaded ??= { value: load() }).value;
}
