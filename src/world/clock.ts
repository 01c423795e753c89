/** Time: monotonic for durations and deadlines, wall time for stamps that people and records see. */
export interface Clock {
  /** Monotonic milliseconds with a fraction, from an arbitrary start. */
  nowMs(): number;
  /** Milliseconds since 1970, whole. May jump. */
  wallMs(): number;
  /** Runs `fn` once, not before `delayMs` have passed. Fires in order of deadline, then of creation. */
  after(delayMs: number, fn: () => void): Timer;
  /** Resolves after `delayMs`. */
  sleep(delayMs: number): Promise<void>;
  /** Runs `fn` once, after the event being handled and what is already queued: the end of this tick. In order of calls. */
  soon(fn: () => void): void;
  /** Lets other events of this thread have their turn: for long synchronous work cut in pieces. */
  yield(): Promise<void>;
}

export interface Timer {
  /** No effect once it has fired. */
  cancel(): void;
}
