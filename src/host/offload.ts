/**
 * Work that leaves the thread: pure functions over bytes, run by a small pool of worker threads that starts with the first job. In an
 * in-process cluster the same table runs in the caller's thread, a turn of the loop later.
 */
import { Worker } from "node:worker_threads";
import { assert } from "../base/assert.js";
import type { OffloadParameters } from "../world/world.js";
import type { Life } from "./life.js";

export type Job = (input: Uint8Array, parameters: OffloadParameters) => Uint8Array | Promise<Uint8Array>;

export interface JobTable {
  readonly [name: string]: Job;
}

/**
 * `{ module }`: the absolute path of a compiled CommonJS module that exports `jobs: JobTable`, loaded by each worker thread.
 * A table itself: in the caller's thread.
 */
export type Jobs = JobTable | { readonly module: string; readonly threads?: number };

export type Offload = (job: string, input: Uint8Array, parameters: OffloadParameters) => Promise<Uint8Array>;

const THREADS = 2;
const QUEUE_MAX_JOBS = 10_000;

export function makeOffload(life: Life, jobs: Jobs): Offload {
  if (isModule(jobs)) {
    const pool = new JobThreads(jobs.module, jobs.threads ?? THREADS);
    life.keep(() => pool.end());
    return (job, input, parameters) => life.living(() => pool.run(job, input, parameters));
  }
  return (job, input, parameters) =>
    life.living(async () => {
      const work = Object.hasOwn(jobs, job) ? jobs[job] : undefined;
      assert(work !== undefined, `no job is called ${job}`);
      await new Promise<void>((resolve) => setImmediate(resolve));
      return work(input, parameters);
    });
}

function isModule(jobs: Jobs): jobs is { readonly module: string; readonly threads?: number } {
  return typeof jobs["module"] === "string";
}

interface Order {
  readonly job: string;
  readonly input: Uint8Array;
  readonly parameters: OffloadParameters;
  readonly resolve: (output: Uint8Array) => void;
  readonly reject: (error: Error) => void;
}

type Outcome = { readonly output: Uint8Array } | { readonly error: { readonly name: string; readonly message: string } };

/** One job at a time; what a thread throws comes back as its facts. Text, so that it needs no file of its own in any build. */
const WORKER = `
const { parentPort, workerData } = require("node:worker_threads");
const { jobs } = require(workerData.module);
parentPort.on("message", async ({ job, input, parameters }) => {
  try {
    if (!Object.hasOwn(jobs, job)) throw new Error("no job is called " + job);
    const output = new Uint8Array(await jobs[job](input, parameters));
    parentPort.postMessage({ output }, [output.buffer]);
  } catch (thrown) {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    parentPort.postMessage({ error: { ...JSON.parse(JSON.stringify(error)), name: error.name, message: error.message } });
  }
});
`;

class JobThreads {
  readonly #module: string;
  readonly #most: number;
  readonly #idle: Worker[] = [];
  readonly #busy = new Map<Worker, Order>();
  readonly #waiting: Order[] = [];
  #ended = false;

  constructor(module: string, most: number) {
    this.#module = module;
    this.#most = most;
  }

  run(job: string, input: Uint8Array, parameters: OffloadParameters): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.length >= QUEUE_MAX_JOBS) return reject(new Error(`${QUEUE_MAX_JOBS} jobs wait already`));
      this.#waiting.push({ job, input, parameters, resolve, reject });
      this.#next();
    });
  }

  end(): void {
    this.#ended = true;
    for (const worker of [...this.#idle, ...this.#busy.keys()]) void worker.terminate();
  }

  #next(): void {
    if (this.#ended || this.#waiting.length === 0) return;
    const worker = this.#idle.pop() ?? (this.#busy.size < this.#most ? this.#start() : null);
    const order = worker === null ? undefined : this.#waiting.shift();
    if (worker === null || order === undefined) return;
    this.#busy.set(worker, order);
    worker.ref();
    const input = new Uint8Array(order.input);
    worker.postMessage({ job: order.job, input, parameters: order.parameters }, [input.buffer]);
  }

  #start(): Worker {
    const worker = new Worker(WORKER, { eval: true, workerData: { module: this.#module } });
    worker.on("message", (outcome: Outcome) => {
      const order = this.#busy.get(worker);
      this.#busy.delete(worker);
      this.#idle.push(worker);
      worker.unref(); // an idle thread keeps no process alive
      if (order !== undefined) settle(order, outcome);
      this.#next();
    });
    const lost = (error: Error) => {
      const order = this.#busy.get(worker);
      this.#busy.delete(worker);
      const at = this.#idle.indexOf(worker);
      if (at >= 0) this.#idle.splice(at, 1);
      order?.reject(error);
      this.#next(); // in another thread
    };
    worker.on("error", lost);
    worker.on("exit", () => lost(new Error("the worker thread has ended")));
    return worker;
  }
}

function settle(order: Order, outcome: Outcome): void {
  if ("output" in outcome) order.resolve(outcome.output);
  else order.reject(Object.assign(new Error(outcome.error.message), outcome.error));
}
