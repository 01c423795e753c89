/** Sends bytes as they are to a broker and tells what came back: frames, and whether the connection was ended. */
import { connect } from "node:net";

export interface Outcome {
  readonly closes: boolean;
  /** Each with its length. */
  readonly frames: readonly Buffer[];
}

/** How long a connection that nothing is due on is watched. */
const SILENCE_MS = 120;
const LIMIT_MS = 8_000;
const PROBE_ID = 0x7a7a_7a7a;
/** ApiVersions 0 with its own correlation id, behind the last answer: its answer proves that the connection lives. */
const PROBE = Buffer.from("0000000a001200007a7a7a7affff", "hex");

export interface Case {
  readonly bytes: Buffer;
  readonly thenHalfClose: boolean;
  /** Answers that are expected, if the connection stays open. */
  readonly expected: { readonly closes: boolean; readonly answers: number };
}

export function send(port: number, one: Case): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port });
    socket.setNoDelay(true);
    let bytes = Buffer.alloc(0);
    let probed = false;
    const frames: Buffer[] = [];
    const limit = setTimeout(() => finish(false), LIMIT_MS);
    let silence: NodeJS.Timeout | null = null;
    const finish = (closes: boolean) => {
      clearTimeout(limit);
      if (silence !== null) clearTimeout(silence);
      socket.destroy();
      resolve({ closes, frames });
    };
    const settle = () => {
      if (probed || one.expected.closes || frames.length < one.expected.answers) return;
      if (one.expected.answers > 0 && !one.thenHalfClose) {
        probed = true;
        socket.write(PROBE);
      } else silence ??= setTimeout(() => finish(false), SILENCE_MS);
    };
    socket.on("data", (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      while (bytes.length >= 4 && bytes.length >= 4 + bytes.readInt32BE(0)) {
        const frame = bytes.subarray(0, 4 + bytes.readInt32BE(0));
        bytes = bytes.subarray(frame.length);
        if (probed && frame.readInt32BE(4) === PROBE_ID) return finish(false);
        frames.push(frame);
      }
      settle();
    });
    socket.on("end", () => finish(true));
    socket.on("close", () => finish(true));
    socket.on("error", (error: NodeJS.ErrnoException) => (error.code === "ECONNRESET" || error.code === "EPIPE" ? finish(true) : reject(error)));
    socket.on("connect", () => {
      socket.write(one.bytes);
      if (one.thenHalfClose) socket.end();
      settle();
    });
  });
}
