/** Our own client against a broker of a test. */
import { openLog } from "../../src/host/logger.js";
import { RpcHub } from "../../src/host/rpc-hub.js";
import { makeWorld } from "../../src/host/world.js";
import { KafkaClient } from "../../src/cli/kafka-client.js";
import { createTopic } from "../../src/cli/topics.js";

/** Runs with a client of its own, that is closed afterwards. */
export async function withClient<T>(port: number, run: (client: KafkaClient) => Promise<T>): Promise<T> {
  const world = makeWorld({ root: ".", syncClass: "data", rpc: await RpcHub.start({ listen: null }), log: openLog({ level: "silent", write: () => undefined }), onHalt: () => undefined });
  const client = await KafkaClient.connect(world, [{ host: "127.0.0.1", port }], 10_000);
  try {
    return await run(client);
  } finally {
    client.close();
    world.halt("done");
  }
}

export async function createTopics(port: number, topics: readonly { readonly name: string; readonly configs: readonly { readonly name: string; readonly value: string }[] }[]): Promise<void> {
  await withClient(port, async (client) => {
    for (const topic of topics) await createTopic(client, topic.name, { partitions: 1, replicas: 1, configs: topic.configs.map(({ name, value }) => [name, value] as const) });
  });
}
