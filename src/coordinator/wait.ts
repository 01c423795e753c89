/** Waits with an end. */
import type { Clock } from "../world/clock.js";

/** What `promise` gives, or `late` after `ms`. */
export async function within<T, L>(clock: Clock, ms: number, promise: Promise<T>, late: L): Promise<T | L> {
  return await new Promise<T | L>((resolve, reject) => {
    const timer = clock.after(ms, () => resolve(late));
    promise.then(
      (value) => {
        timer.cancel();
        resolve(value);
      },
      (error: unknown) => {
        timer.cancel();
        reject(error instanceof Error ? error : new Error(String(error)));
      },
    );
  });
}
