/**
 * What brokers tell clients on the wire: acknowledgements of acks=all, and the batches that readers get. Requests are matched with their answers by
 * correlation id. Connections between brokers are left out: followers may see what is not committed.
 */
import { ProduceResponse } from "../../protocol/messages/00-produce.js";
import { FetchResponse } from "../../protocol/messages/01-fetch.js";
import { decodeResponse, FrameSplitter } from "../../protocol/frame.js";
import type { SimConnection } from "../connection.js";
import { Signal } from "./signal.js";

const PRODUCE = 0;
const FETCH = 1;
const FRAME_MAX_BYTES = 256 << 20;

interface Asked {
  readonly api: number;
  readonly version: number;
  /** Of a Produce. */
  readonly acks: number;
}

/** By id or by name, as the client spoke. */
export interface Where {
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
}

export interface Acknowledged extends Where {
  readonly node: number;
  readonly base: number;
}

export interface Served extends Where {
  readonly node: number;
  readonly base: number;
  readonly last: number;
  readonly epoch: number;
  readonly crc: number;
  readonly highWatermark: number;
}

interface Line {
  readonly node: number;
  readonly asks: FrameSplitter;
  readonly answers: FrameSplitter;
  readonly open: Map<number, Asked>;
}

export class ClientWires {
  readonly onAcknowledged = new Signal<Acknowledged>();
  readonly onServed = new Signal<Served>();
  readonly #lines = new WeakMap<SimConnection, Line>();

  /** Bytes of a client have come to a broker. */
  delivered(node: number, connection: SimConnection, bytes: Uint8Array): void {
    const line = this.#line(node, connection);
    for (const frame of line.asks.push(bytes)) {
      const view = Buffer.from(frame.buffer, frame.byteOffset, frame.length);
      if (view.length < 10) continue;
      const api = view.readInt16BE(0);
      if (api !== PRODUCE && api !== FETCH) continue;
      const version = view.readInt16BE(2);
      const acks = api === PRODUCE ? acksOf(view, version) : -1;
      if (api === PRODUCE && acks !== -1) continue;
      line.open.set(view.readInt32BE(4), { api, version, acks });
    }
  }

  /** Bytes of a broker leave for a client. */
  wrote(node: number, connection: SimConnection, bytes: Uint8Array): void {
    const line = this.#line(node, connection);
    for (const frame of line.answers.push(bytes)) {
      const view = Buffer.from(frame.buffer, frame.byteOffset, frame.length);
      const asked = view.length < 4 ? undefined : line.open.get(view.readInt32BE(0));
      if (asked === undefined) continue;
      line.open.delete(view.readInt32BE(0));
      if (asked.api === PRODUCE) this.#produced(node, frame, asked.version);
      else this.#fetched(node, frame, asked.version);
    }
  }

  #produced(node: number, frame: Uint8Array, version: number): void {
    for (const topic of decodeResponse(ProduceResponse, version, frame).body.responses) {
      for (const one of topic.partitionResponses) {
        if (one.errorCode === 0 && one.baseOffset >= 0n) this.onAcknowledged.tell({ node, topic: topic.name, topicId: topic.topicId, partition: one.index, base: Number(one.baseOffset) });
      }
    }
  }

  #fetched(node: number, frame: Uint8Array, version: number): void {
    for (const topic of decodeResponse(FetchResponse, version, frame).body.responses) {
      for (const one of topic.partitions) {
        const { records } = one;
        if (one.errorCode !== 0 || records === null) continue;
        const bytes = Buffer.from(records.buffer, records.byteOffset, records.length);
        for (let at = 0; at + 61 <= bytes.length; ) {
          const size = 12 + bytes.readInt32BE(at + 8);
          if (at + size > bytes.length) break;
          const base = bytes.readInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4);
          this.onServed.tell({
            node, topic: topic.topic, topicId: topic.topicId, partition: one.partitionIndex,
            base, last: base + bytes.readInt32BE(at + 23), epoch: bytes.readInt32BE(at + 12), crc: bytes.readUInt32BE(at + 17), highWatermark: Number(one.highWatermark),
          });
          at += size;
        }
      }
    }
  }

  #line(node: number, connection: SimConnection): Line {
    let line = this.#lines.get(connection);
    if (line === undefined) this.#lines.set(connection, (line = { node, asks: new FrameSplitter(FRAME_MAX_BYTES), answers: new FrameSplitter(FRAME_MAX_BYTES), open: new Map() }));
    return line;
  }
}

/** Behind the header: header 2 of version 9 and up has tags, and compact strings. */
function acksOf(frame: Buffer, version: number): number {
  const clientId = frame.readInt16BE(8);
  let at = 10 + Math.max(0, clientId);
  if (version >= 9) at += 1; // no tags of ours
  if (version >= 9) {
    const length = frame[at] ?? 0; // compact: length + 1; a transactional id is shorter than 127
    at += 1 + Math.max(0, length - 1);
  } else at += 2 + Math.max(0, frame.readInt16BE(at));
  return at + 2 <= frame.length ? frame.readInt16BE(at) : 0;
}
