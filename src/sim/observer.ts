/**
 * Whoever watches what the simulated Worlds do: bytes that reach disks and wires. Set on the scheduler; where nobody watches it costs a test for null.
 * It is called in the middle of a node's call, so it must not throw, draw, or change anything: it notes, and judges after the event (evidence/).
 */
import type { SimConnection } from "./connection.js";
import type { FileContent, SyncSnapshot } from "./file-content.js";
import type { Life } from "./life.js";
import type { MachineDisk } from "./machine-disk.js";

export interface Observer {
  /** After the page cache has the bytes. `path` is the one that the file was opened under. */
  written(disk: MachineDisk, path: string, file: FileContent, position: number): void;
  truncated(disk: MachineDisk, path: string, file: FileContent): void;
  /** A sync has ended well: what the snapshot holds is durable. */
  synced(disk: MachineDisk, path: string, file: FileContent, snapshot: SyncSnapshot): void;
  syncFailed(disk: MachineDisk, path: string, life: Life): void;
  /** A name was made, given to another file, or taken away. */
  named(disk: MachineDisk, path: string): void;
  /** Names have become durable. */
  namesSynced(disk: MachineDisk): void;
  /** Power was lost, a bit was flipped, or the disk was replaced: nothing that was known of its files need hold. */
  shaken(disk: MachineDisk): void;
  /** A message was given to a stream, from one machine to another. */
  sent(life: Life, from: string, to: string, method: string, message: Uint8Array): void;
  /** Bytes of a connection, as the kernel took them and as they were delivered; `server` is the side that was dialled. */
  wrote(connection: SimConnection, bytes: Uint8Array): void;
  delivered(connection: SimConnection, bytes: Uint8Array): void;
}
