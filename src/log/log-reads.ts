/** Carries read plans out into pooled memory. */
import { assert } from "../base/assert.js";
import type { BufferPool } from "../base/buffer-pool.js";
import { PART_MAX_BYTES } from "./part.js";
import { LogError, type LentBytes, type ReadPlan } from "./partition-log.js";

/** At once, from the page cache. */
export function readNow(plan: ReadPlan, pool: BufferPool): LentBytes {
  const buffers: Buffer[] = [];
  const parts: Uint8Array[] = [];
  for (const { file, position, bytes } of pieces(plan)) {
    const buffer = pool.take(bytes);
    buffers.push(buffer);
    const part = buffer.subarray(0, bytes);
    const count = file.readAt(position, part);
    if (count < bytes) {
      lend(pool, buffers, []).release();
      throw new LogError("corrupt-batch", `${file.path} ends before ${position + bytes}`);
    }
    parts.push(part);
  }
  return lend(pool, buffers, parts);
}

/** Through the thread pool. All reads begin in this turn, so that the files are there. */
export async function readLater(plan: ReadPlan, pool: BufferPool): Promise<LentBytes> {
  const buffers: Buffer[] = [];
  const wanted = [...pieces(plan)];
  const reads = wanted.map(({ file, position, bytes }) => {
    const buffer = pool.take(bytes);
    buffers.push(buffer);
    return file.read(position, buffer.subarray(0, bytes));
  });
  const settled = await Promise.allSettled(reads); // all have ended: nobody writes into a released buffer
  const parts: Uint8Array[] = [];
  for (let i = 0; i < wanted.length; i++) {
    const result = settled[i];
    const bytes = wanted[i]?.bytes ?? 0;
    if (result?.status !== "fulfilled" || result.value < bytes) {
      lend(pool, buffers, []).release();
      if (result?.status === "rejected") throw result.reason;
      throw new LogError("corrupt-batch", "a segment ends before its batches");
    }
    parts.push((buffers[i] as Buffer).subarray(0, bytes));
  }
  return lend(pool, buffers, parts);
}

function lend(pool: BufferPool, buffers: readonly Buffer[], parts: readonly Uint8Array[]): LentBytes {
  let lent = true;
  return {
    parts,
    release: () => {
      assert(lent, "lent bytes are released once");
      lent = false;
      for (const buffer of buffers) pool.give(buffer);
    },
  };
}

function* pieces(plan: ReadPlan): Generator<{ readonly file: ReadPlan["ranges"][number]["file"]; readonly position: number; readonly bytes: number }> {
  for (const range of plan.ranges) {
    for (let done = 0; done < range.bytes; done += PART_MAX_BYTES) {
      yield { file: range.file, position: range.position + done, bytes: Math.min(PART_MAX_BYTES, range.bytes - done) };
    }
  }
}
