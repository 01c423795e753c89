/** Runs one command against a cluster and shows what it found. */
import { openLog } from "../host/logger.js";
import { print } from "../host/process.js";
import { NO_RPC } from "../host/rpc-none.js";
import { makeWorld } from "../host/world.js";
import { KafkaClient, parseBootstrap } from "./kafka-client.js";
import type { Shown } from "./topics.js";

const TIMEOUT_MS = 30_000;

export async function runCommand(options: { readonly bootstrap: string; readonly json?: boolean }, run: (client: KafkaClient) => Promise<Shown>): Promise<void> {
  const world = makeWorld({ root: ".", syncClass: "data", rpc: NO_RPC, log: openLog({ level: "silent", write: () => undefined }), onHalt: () => undefined });
  const client = await KafkaClient.connect(world, parseBootstrap(options.bootstrap), TIMEOUT_MS);
  try {
    const shown = await run(client);
    print(options.json === true ? `${JSON.stringify(shown.data, (_, value: unknown) => (typeof value === "bigint" ? Number(value) : value), 2)}\n` : `${shown.text}\n`);
  } finally {
    client.close();
    world.halt("done");
  }
}
