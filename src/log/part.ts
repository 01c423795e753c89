/** Longer reads come in several parts, so that none holds the loop and every buffer is one of the pool's. */
export const PART_MAX_BYTES = 1 << 20;
