/**
 * The one file of sim/ that touches the real world: it gives the simulation its turns, and keeps everybody else out meanwhile.
 *
 * Between two events every promise chain has to settle. Only the end of a macrotask promises that, and Node runs the microtasks between any
 * two immediates of one list. So turns are asked for by the hundred: an immediate each, all in one phase of the real loop, and nothing
 * foreign (a socket, a test runner's timer) comes between them. Measured on Node 20: 0.07 µs a turn in a list of 512 and 0.25 µs with
 * promises to settle, against 1.5 µs for an immediate that asks for the next one, which polls the operating system each time.
 * (`process._tickCallback` and V8's natives would drain too, but promise nothing; `vm` drains only promises born in its context.)
 *
 * Within a list the globals that reach the real world throw for any caller, packages included, so that a run cannot depend on them. Out of reach is
 * only who has taken one of them aside before: the architecture test sees to it that our own code does not.
 */
import { assert } from "../base/assert.js";

/** A list begins short, for runs of a few events, and doubles: raising and lifting the guard costs half a millisecond. */
const TURNS_FIRST = 64;
const TURNS_MOST = 4096;
const FRESH = 0xa7; // what memory nobody has written to looks like, the same in every run

const real = {
  setImmediate: globalThis.setImmediate,
  now: globalThis.performance.now.bind(globalThis.performance),
  Date: globalThis.Date,
  allocUnsafe: Buffer.allocUnsafe,
  allocUnsafeSlow: Buffer.allocUnsafeSlow,
};

/** Thrown at whoever reaches for the real world while a simulation runs. */
export class RealWorldTouched extends Error {
  override readonly name = "RealWorldTouched";
  constructor(what: string) {
    super(`${what} was used while a simulation runs; take it from the World`);
  }
}

/** Real milliseconds, for measuring how fast a simulation is. Nothing in a simulation may depend on them. */
export function realMs(): number {
  return real.now();
}

export interface TurnsOptions {
  /** Whether the globals throw during the turns. Off only for tests whose own code draws or tells the time. */
  readonly guarded: boolean;
  /** A promise that was rejected in a turn and has no owner. */
  readonly onStray: (error: unknown) => void;
}

/** Calls `step` once a turn until it returns false or throws; all that it resolved has settled before it is called again. */
export function takeTurns(step: () => boolean, { guarded, onStray }: TurnsOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    let going = true;
    let turns = TURNS_FIRST;
    let outcome = () => resolve();
    let lift: () => void = () => undefined;
    const fail = (error: unknown) => {
      going = false;
      outcome = () => reject(error instanceof Error ? error : new Error(String(error)));
    };
    const turn = () => {
      if (!going) return;
      try {
        going = step();
      } catch (error) {
        fail(error);
      }
    };
    const first = () => {
      process.on("unhandledRejection", onStray);
      if (guarded) lift = raiseGuard();
    };
    const last = () => {
      lift();
      process.off("unhandledRejection", onStray);
      if (going) list();
      else outcome();
    };
    const list = () => {
      real.setImmediate(first);
      for (let i = 0; i < turns; i++) real.setImmediate(turn);
      real.setImmediate(last);
      turns = Math.min(turns * 2, TURNS_MOST);
    };
    list();
  });
}

interface Guarded {
  readonly target: object;
  readonly name: string;
  readonly instead: unknown;
}

/** Makes the globals throw; the result undoes it. */
export function raiseGuard(): () => void {
  const before = GUARDED.map(({ target, name }) => Object.getOwnPropertyDescriptor(target, name));
  for (const { target, name, instead } of GUARDED) Object.defineProperty(target, name, { value: instead, writable: true, configurable: true, enumerable: false });
  return () => {
    GUARDED.forEach(({ target, name }, i) => {
      const descriptor = before[i];
      if (descriptor !== undefined) Object.defineProperty(target, name, descriptor);
      else assert(Reflect.deleteProperty(target, name), `${name} can be restored`);
    });
  };
}

/** Those that can be replaced; Node makes a few fixed, which lead to others of the list. */
const GUARDED: readonly Guarded[] = listGuarded().filter(({ target, name }) => Object.getOwnPropertyDescriptor(target, name)?.configurable ?? true);

function listGuarded(): Guarded[] {
  const throwing = (target: object | undefined, label: string, names: readonly string[]): Guarded[] =>
    target === undefined
      ? []
      : names.filter((name) => name in target).map((name) => {
          const instead = () => {
            throw new RealWorldTouched(`${label}${name}`);
          };
          return { target, name, instead: Object.assign(instead, name === "hrtime" ? { bigint: instead } : {}) };
        });
  const timers = ["setTimeout", "setInterval", "setImmediate"];
  const draws = ["randomBytes", "randomInt", "randomUUID", "randomFill", "randomFillSync", "getRandomValues", "pbkdf2", "scrypt", "generateKeyPair", "generateKey"];
  const zlibAsync = ["gzip", "gunzip", "deflate", "inflate", "deflateRaw", "inflateRaw", "unzip", "brotliCompress", "brotliDecompress", "zstdCompress", "zstdDecompress"];
  return [
    ...throwing(globalThis, "", [...timers, "fetch"]),
    ...throwing(process.getBuiltinModule("node:timers"), "timers.", timers),
    ...throwing(process.getBuiltinModule("node:timers/promises"), "timers/promises.", timers),
    ...throwing(real.Date, "Date.", ["now"]),
    { target: globalThis, name: "Date", instead: guardedDate() },
    ...throwing(Math, "Math.", ["random"]),
    ...throwing(globalThis.performance, "performance.", ["now"]),
    ...throwing(globalThis.crypto, "crypto.", ["getRandomValues", "randomUUID"]),
    ...throwing(process.getBuiltinModule("node:crypto"), "crypto.", draws),
    ...throwing(process.getBuiltinModule("node:zlib"), "zlib.", zlibAsync),
    ...throwing(process, "process.", ["nextTick", "hrtime", "uptime"]),
    { target: Buffer, name: "allocUnsafe", instead: (bytes: number) => real.allocUnsafe(bytes).fill(FRESH) },
    { target: Buffer, name: "allocUnsafeSlow", instead: (bytes: number) => real.allocUnsafeSlow(bytes).fill(FRESH) },
  ];
}

/** `new Date(wallMs)` computes; only the forms that ask what time it is throw. */
function guardedDate(): DateConstructor {
  return new Proxy(real.Date, {
    construct(target, given: unknown[], newTarget: new () => object) {
      if (given.length === 0) throw new RealWorldTouched("new Date()");
      return Reflect.construct(target, given, newTarget) as object;
    },
    apply() {
      throw new RealWorldTouched("Date()");
    },
  });
}
