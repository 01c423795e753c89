/** A replica that metadata does not know is set aside, never erased, and status says where it lies. */
import { mkdtemp, mkdir, rm, writeFile, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startCluster } from "../../src/app/cluster.js";
import { createTopic } from "../../src/cli/topics.js";
import { status } from "../../src/cli/status.js";
import { withClient } from "../broker/client.js";

test("status names a folder that was set aside", async () => {
  const data = await mkdtemp(join(tmpdir(), "kontiki-strays-"));
  try {
    const first = await startCluster({ data });
    await withClient(Number(first.bootstrapServers.split(":")[1]), (client) => createTopic(client, "known", { partitions: 1, replicas: 1, configs: [] }));
    await first.close();
    const ghost = join(data, "node-1", "ghost-0");
    await mkdir(ghost);
    await writeFile(join(ghost, "partition.metadata"), "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAg");
    await writeFile(join(ghost, "00000000000000000000.log"), "");

    const second = await startCluster({ data });
    try {
      const shown = await withClient(Number(second.bootstrapServers.split(":")[1]), (client) => status(client));
      const name = /ghost-0\.[0-9a-f]{32}-stray/.exec(shown.text)?.[0];
      expect(name, shown.text).toBeDefined();
      expect(await readFile(join(data, "node-1", name ?? "", "partition.metadata"), "utf8")).toContain("AAAAAAAAAAAAAAAAAAAAAg");
      expect(shown.text).not.toContain("known-0");
    } finally {
      await second.close();
    }
  } finally {
    await rm(data, { recursive: true, force: true });
  }
});
