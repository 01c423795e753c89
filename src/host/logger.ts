/** Log lines by pino: JSON, one line an event, to a descriptor. Written in the background and flushed when the process ends. */
import pino from "pino";
import type { LogFields, Logger } from "../world/logger.js";
import type { Life } from "./life.js";

export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";

const BACKLOG_MAX_BYTES = 4 << 20; // a reader that has stalled loses lines rather than our memory

/** The process's own log, from which the Worlds' loggers are made. */
export interface LogSink {
  logger(fields: LogFields, life: Life | null): Logger;
  /** Writes out what is still queued. */
  flush(): void;
}

/** @param options.descriptor 1 is standard output; `write` takes the lines instead (tests, in-process clusters) */
export function openLog(options: { readonly level: LogLevel; readonly descriptor?: number; readonly write?: (line: string) => void }): LogSink {
  const { write } = options;
  const file = write === undefined ? pino.destination({ fd: options.descriptor ?? 1, sync: false, maxLength: BACKLOG_MAX_BYTES }) : null;
  const root = pino(
    { level: options.level, base: null, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: (label) => ({ level: label }), log: plainFields } },
    file ?? { write: (line: string) => write?.(line) },
  );
  return {
    logger: (fields, life) => new HostLogger(root.child(fields), life),
    flush() {
      try {
        file?.flushSync();
      } catch {
        // Not open yet, or the reader is gone: there is nobody to tell.
      }
    },
  };
}

class HostLogger implements Logger {
  readonly #pino: pino.Logger;
  readonly #life: Life | null;

  constructor(inner: pino.Logger, life: Life | null) {
    this.#pino = inner;
    this.#life = life;
  }

  debug(fields: LogFields, message: string): void {
    this.#life?.check();
    this.#pino.debug(fields, message);
  }

  info(fields: LogFields, message: string): void {
    this.#life?.check();
    this.#pino.info(fields, message);
  }

  warn(fields: LogFields, message: string): void {
    this.#life?.check();
    this.#pino.warn(fields, message);
  }

  error(fields: LogFields, message: string): void {
    this.#life?.check();
    this.#pino.error(fields, message);
  }

  with(fields: LogFields): Logger {
    this.#life?.check();
    return new HostLogger(this.#pino.child(fields), this.#life);
  }
}

/** Errors as their facts, with their causes; 64-bit numbers as text. */
function plainFields(fields: LogFields): { [name: string]: unknown } {
  const plain: { [name: string]: unknown } = {};
  for (const [name, value] of Object.entries(fields)) plain[name] = value instanceof Error ? plainError(value, 3) : typeof value === "bigint" ? value.toString() : value;
  return plain;
}

function plainError(error: Error, depth: number): { [name: string]: unknown } {
  const { name, message, stack, cause, ...facts } = Object.assign({ cause: error.cause }, error, { name: error.name, message: error.message, stack: error.stack });
  return { name, message, ...facts, stack, ...(cause === undefined ? {} : { cause: cause instanceof Error && depth > 0 ? plainError(cause, depth - 1) : String(cause) }) };
}
