/**
 * A file of records that follow each other, read as it is written: the records that the page cache holds, and those that would be there without power.
 *
 *     written   ▒▒▒|▒▒▒▒|▒▒|▒▒▒▒▒|▒▒▒|        cut when the file is truncated or written anew
 *     durable   ▒▒▒|▒▒▒▒|▒▒|                  follows at the end of each sync
 */
import { type FileContent, PAGE_BYTES, type SyncSnapshot } from "../file-content.js";

export interface Placed<R> {
  readonly record: R;
  readonly at: number;
  readonly end: number;
}

/** @returns the record at `at` and its end; null where none is whole and sound. `before` is the one that ends there. */
export type ReadRecord<R> = (bytes: Buffer, at: number, before: R | null, file: RecordFile<R>) => Placed<R> | null;

export interface RecordFileEvents<R> {
  added(file: RecordFile<R>, record: R): void;
  /** Newest last. */
  cut(file: RecordFile<R>, records: readonly R[]): void;
  hardened(file: RecordFile<R>, record: R): void;
}

export class RecordFile<R> {
  readonly written: Placed<R>[] = [];
  readonly durable: Placed<R>[] = [];
  readonly content: FileContent;
  /** By the file's name: of what it begins with. */
  readonly base: number;
  readonly #headBytes: number;
  readonly #read: ReadRecord<R>;
  readonly #events: RecordFileEvents<R>;
  /** The version of the last change that was no append. */
  #cutVersion = -1;

  constructor(content: FileContent, base: number, headBytes: number, read: ReadRecord<R>, events: RecordFileEvents<R>) {
    this.content = content;
    this.base = base;
    this.#headBytes = headBytes;
    this.#read = read;
    this.#events = events;
  }

  /** Both views anew: after a loss of power, or when the file is first seen. Nothing is told of what went. */
  reread(): void {
    this.written.length = 0;
    this.durable.length = 0;
    this.#cutVersion = this.content.version;
    this.#append(this.written, this.content.peek(), (record) => this.#events.added(this, record));
    this.#append(this.durable, this.content.peekDurable(), (record) => this.#events.hardened(this, record));
  }

  wrote(position: number): void {
    if (position < this.#endOf(this.written)) this.#cutWritten(position);
    this.#append(this.written, this.content.peek(), (record) => this.#events.added(this, record));
  }

  truncated(): void {
    this.#cutWritten(this.content.size);
  }

  synced(snapshot: SyncSnapshot): void {
    const { durable, written } = this;
    if (snapshot.version >= this.#cutVersion) {
      // Only appended since: what is durable is a beginning of what is written.
      while (durable.length > 0 && durable.at(-1)?.record !== written[durable.length - 1]?.record) durable.pop();
      for (let next = written[durable.length]; next !== undefined && next.end <= this.content.durableSize; next = written[durable.length]) {
        durable.push(next);
        this.#events.hardened(this, next.record);
      }
      return;
    }
    const kept = snapshot.pages.reduce((least, page) => Math.min(least, page.index * PAGE_BYTES), snapshot.size);
    while (durable.length > 0 && (durable.at(-1)?.end ?? 0) > kept) durable.pop();
    this.#append(durable, this.content.peekDurable(), (record) => this.#events.hardened(this, record));
  }

  #cutWritten(to: number): void {
    const { written } = this;
    this.#cutVersion = this.content.version;
    let first = written.length;
    while (first > 0 && (written[first - 1]?.end ?? 0) > to) first--;
    if (first === written.length) return;
    const gone = written.splice(first).map((placed) => placed.record);
    this.#events.cut(this, gone);
  }

  #endOf(list: readonly Placed<R>[]): number {
    return list.at(-1)?.end ?? this.#headBytes;
  }

  #append(list: Placed<R>[], bytes: Buffer, tell: (record: R) => void): void {
    for (;;) {
      const placed = this.#read(bytes, this.#endOf(list), list.at(-1)?.record ?? null, this);
      if (placed === null) return;
      list.push(placed);
      tell(placed.record);
    }
  }
}
