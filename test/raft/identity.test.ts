import { expect, test } from "vitest";
import { nodeId } from "../../src/base/ids.js";
import { IdentityError, openIdentity, writeIdentity } from "../../src/raft/identity.js";
import { Simulation } from "../../src/sim/simulation.js";

test("a disk of which any bit of meta.properties is flipped is refused: one that forgot its cluster but not its name would vote twice", async () => {
  const sim = new Simulation({ seed: 1, guarded: false });
  const machine = sim.machine("n1");
  const world = machine.start().world({ role: "controller" });
  const path = "/data/quorum/meta.properties";
  await sim.drive(async () => {
    const identity = { ...(await openIdentity(world, "quorum", nodeId(1))), clusterId: "yTbuAZWTHje_DSloKMcnUw" };
    const bytes = () => machine.disk.durable(path)?.length ?? 0;
    await writeIdentity(world, "quorum", identity);
    for (let position = 0; position < bytes(); position++) {
      machine.disk.flipBit(path, position, position % 8);
      await expect(openIdentity(world, "quorum", nodeId(1)), `byte ${position}`).rejects.toThrow(IdentityError);
      machine.disk.flipBit(path, position, position % 8);
    }
    expect((await openIdentity(world, "quorum", nodeId(1))).directoryId).toBe(identity.directoryId);
  });
});
