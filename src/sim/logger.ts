/** Lines for people. Off, a line costs a look at the life; on, it is kept as text in the trace. */
import type { LogFields, Logger } from "../world/logger.js";
import type { Life } from "./life.js";

export type LogLevel = "debug" | "info" | "warn" | "error";

export interface LogLine {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: { readonly [name: string]: unknown };
}

/** Null: nobody wants lines. */
export type LogSink = ((line: LogLine) => void) | null;

export class SimLogger implements Logger {
  readonly #life: Life;
  readonly #sink: LogSink;
  readonly #fields: LogFields;

  constructor(life: Life, sink: LogSink, fields: LogFields) {
    this.#life = life;
    this.#sink = sink;
    this.#fields = fields;
  }

  debug(fields: LogFields, message: string): void {
    this.#line("debug", fields, message);
  }

  info(fields: LogFields, message: string): void {
    this.#line("info", fields, message);
  }

  warn(fields: LogFields, message: string): void {
    this.#line("warn", fields, message);
  }

  error(fields: LogFields, message: string): void {
    this.#line("error", fields, message);
  }

  with(fields: LogFields): Logger {
    this.#life.alive();
    return this.#sink === null ? this : new SimLogger(this.#life, this.#sink, { ...this.#fields, ...fields });
  }

  #line(level: LogLevel, fields: LogFields, message: string): void {
    this.#life.alive();
    if (this.#sink === null) return;
    const plain: { [name: string]: unknown } = {};
    for (const [name, value] of Object.entries({ ...this.#fields, ...fields })) plain[name] = plainValue(value);
    this.#sink({ level, message, fields: plain });
  }
}

/** Errors as their facts and causes, 64-bit numbers as text; the rest as it is at this moment. */
export function plainValue(value: unknown, depth = 3): unknown {
  if (typeof value === "bigint") return value.toString();
  if (!(value instanceof Error)) return typeof value === "object" && value !== null ? plainObject(value) : value;
  const facts = Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, depth > 0 ? plainValue(inner, depth - 1) : String(inner)]));
  return { name: value.name, message: value.message, ...facts, ...(value.cause === undefined || depth === 0 ? {} : { cause: plainValue(value.cause, depth - 1) }) };
}

function plainObject(value: object): unknown {
  try {
    return JSON.parse(JSON.stringify(value, (_, inner: unknown) => (typeof inner === "bigint" ? inner.toString() : inner))) as unknown;
  } catch {
    return String(value); // it refers to itself; a line for people must not change the run
  }
}
