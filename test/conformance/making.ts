/** What a making of the World brings to a conformance suite. The Node making is test/host/making.ts. */
import { expect } from "vitest";
import type { World } from "../../src/world/world.js";

export interface Making {
  /** A new World. Worlds with the same `disk` name share their files, as a node and its next incarnation do. */
  world(options?: { readonly disk?: string }): Promise<World>;
  /** Drives until `work` settles: a simulator moves its time here. */
  run<T>(work: () => Promise<T>): Promise<T>;
  /** Halts every World and removes every file. */
  end(): Promise<void>;
}

export type MakeMaking = () => Promise<Making>;

/** Runs `work` with a fresh making and ends it afterwards. */
export async function within(make: MakeMaking, work: (making: Making) => Promise<void>): Promise<void> {
  const making = await make();
  try {
    await making.run(() => work(making));
  } finally {
    await making.end();
  }
}

/** A promise from outside, to be settled by a callback. */
export function later<T = void>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((settle) => (resolve = settle));
  return { promise, resolve };
}

/** That none of these settles while another World lives on for a while. */
export async function expectNeverSettled(living: World, promises: readonly Promise<unknown>[]): Promise<void> {
  let settled = 0;
  for (const promise of promises) promise.then(() => settled++, () => settled++);
  await living.clock.sleep(40);
  expect(settled).toBe(0);
}

/** What a rejected promise was rejected with. */
export async function faultOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(() => "no fault", (error: unknown) => error);
}
