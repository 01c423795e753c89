/** Which partition a coordinator's key lives in. behaviours.md §6. */

/** Java's String.hashCode: over UTF-16 units, wrapping at 32 bits. */
export function javaHash(text: string): number {
  let hash = 0;
  for (let i = 0; i < text.length; i++) hash = (Math.imul(hash, 31) + text.charCodeAt(i)) | 0;
  return hash;
}

/** abs(hash) mod partitions, where abs of the smallest int is 0, as Kafka has it. */
export function coordinatorPartition(key: string, partitions: number): number {
  const hash = javaHash(key);
  return (hash === -0x80000000 ? 0 : Math.abs(hash)) % partitions;
}
