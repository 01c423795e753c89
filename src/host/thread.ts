/**
 * A role in a thread of its own: starting it, talking to it in plain data, and seeing it end. Streams between nodes do not go this way but
 * through the rpc port that comes with the thread.
 */
import { MessageChannel, type MessagePort, parentPort, Worker, workerData } from "node:worker_threads";

export interface RoleThread {
  /** For a PortCarrier here; the other end is `threadSide().rpcPort`. */
  readonly rpcPort: MessagePort;
  /** What the thread gave to `ready`. */
  readonly started: unknown;
  /** Asks the thread; rejects with what its answerer threw, or when it ends. */
  ask(question: string, argument?: unknown): Promise<unknown>;
  /** What the thread tells without being asked. */
  onTold(callback: (fact: unknown) => void): void;
  /** Once, when the thread has ended, with what nobody in it had caught. */
  onExit(callback: (cause: unknown) => void): void;
  /** Ends it where it stands. */
  terminate(): Promise<void>;
}

export interface ThreadSide {
  readonly data: unknown;
  readonly rpcPort: MessagePort;
  ready(started: unknown): void;
  failed(error: unknown): void;
  tell(fact: unknown): void;
  answer(question: string, answerer: (argument: unknown) => unknown): void;
}

type FromThread =
  | { readonly kind: "ready"; readonly started: unknown }
  | { readonly kind: "failed"; readonly error: unknown }
  | { readonly kind: "told"; readonly fact: unknown }
  | { readonly kind: "answer"; readonly id: number; readonly value: unknown }
  | { readonly kind: "no-answer"; readonly id: number; readonly error: unknown };

interface Question {
  readonly id: number;
  readonly question: string;
  readonly argument: unknown;
}

interface StartData {
  readonly data: unknown;
  readonly rpcPort: MessagePort;
}

/**
 * Resolves when the thread says that it is ready.
 * @param options.module absolute path of a compiled module, which calls `threadSide()` as it loads
 * @param options.data plain data (structured clone)
 * @throws what the thread reported or threw before it was ready; its class is lost, name, message and code stay
 */
export async function startThread(options: { readonly module: string; readonly name: string; readonly data: unknown }): Promise<RoleThread> {
  const { port1, port2 } = new MessageChannel();
  const start: StartData = { data: options.data, rpcPort: port2 };
  const worker = new Worker(options.module, { name: options.name, workerData: start, transferList: [port2] });
  const asked = new Map<number, { readonly resolve: (value: unknown) => void; readonly reject: (error: unknown) => void }>();
  let questions = 0;
  let onTold: (fact: unknown) => void = () => undefined;
  let onExit: (cause: unknown) => void = () => undefined;
  let uncaught: unknown = undefined;
  let ended = false;

  const started = await new Promise<unknown>((resolve, reject) => {
    worker.on("message", (message: FromThread) => {
      switch (message.kind) {
        case "ready":
          return resolve(message.started);
        case "failed":
          void worker.terminate();
          return reject(message.error);
        case "told":
          return onTold(message.fact);
        case "answer":
          asked.get(message.id)?.resolve(message.value);
          return void asked.delete(message.id);
        case "no-answer":
          asked.get(message.id)?.reject(message.error);
          return void asked.delete(message.id);
      }
    });
    worker.on("error", (error) => {
      uncaught = error;
      reject(error);
    });
    worker.on("exit", () => {
      ended = true;
      const gone = new Error(`the thread ${options.name} has ended`);
      reject(uncaught ?? gone);
      for (const one of asked.values()) one.reject(gone);
      asked.clear();
      onExit(uncaught);
    });
  });

  return {
    rpcPort: port1,
    started,
    ask: (question, argument) =>
      new Promise((resolve, reject) => {
        if (ended) return reject(new Error(`the thread ${options.name} has ended`));
        const id = questions++;
        asked.set(id, { resolve, reject });
        worker.postMessage({ id, question, argument } satisfies Question);
      }),
    onTold: (callback) => (onTold = callback),
    onExit: (callback) => (onExit = callback),
    terminate: async () => void (await worker.terminate()),
  };
}

/** Within a thread that `startThread` has started; null in the main thread. */
export function threadSide(): ThreadSide | null {
  const port = parentPort;
  if (port === null) return null;
  const { data, rpcPort } = workerData as StartData; // startThread put it there
  const answerers = new Map<string, (argument: unknown) => unknown>();
  const send = (message: FromThread) => port.postMessage(message);
  port.on("message", (asked: Question) => void reply(asked));
  const reply = async ({ id, question, argument }: Question) => {
    try {
      const answerer = answerers.get(question);
      if (answerer === undefined) throw new Error(`nobody here answers ${question}`);
      send({ kind: "answer", id, value: await answerer(argument) });
    } catch (error) {
      send({ kind: "no-answer", id, error: errorFacts(error) });
    }
  };
  return {
    data,
    rpcPort,
    ready: (started) => send({ kind: "ready", started }),
    failed: (error) => send({ kind: "failed", error: errorFacts(error) }),
    tell: (fact) => send({ kind: "told", fact }),
    answer: (question, answerer) => void answerers.set(question, answerer),
  };
}

/** An error's class does not cross threads; its text and code do. */
export function errorFacts(error: unknown): { readonly name: string; readonly message: string; readonly code: string; readonly stack: string } {
  if (!(error instanceof Error)) return { name: "Error", message: String(error), code: "", stack: "" };
  return { name: error.name, message: error.message, code: "code" in error ? String(error.code) : "", stack: error.stack ?? "" };
}
