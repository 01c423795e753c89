/** The suites that the Node making passes, on simulated time, each with a few seeds. */
import { SimMeter } from "../../src/sim/meter.js";
import { describeClock } from "../conformance/clock.js";
import { describeDisk } from "../conformance/disk.js";
import { describeLogger } from "../conformance/logger.js";
import { describeMeter } from "../conformance/meter.js";
import { describeNetwork } from "../conformance/network.js";
import { describeRandom } from "../conformance/random.js";
import { describeRpc } from "../conformance/rpc.js";
import { makeSim, simMaking, simRpcMaking } from "./making.js";

for (const seed of [1, 2, 3]) {
  describeClock(`simulated, seed ${seed}`, makeSim(seed));
  describeRandom(`simulated, seed ${seed}`, makeSim(seed));
  describeDisk(`simulated, seed ${seed}`, makeSim(seed));
  describeNetwork(`simulated, seed ${seed}`, makeSim(seed));
  for (const where of ["another machine", "another process", "the same process"] as const) describeRpc(`simulated, client on ${where}, seed ${seed}`, simRpcMaking(seed, where));
}

describeMeter("simulated", () => {
  const meter = new SimMeter();
  return { meter, read: (metric, labels) => meter.read(metric, labels) };
});

describeLogger("simulated", () => {
  const making = simMaking({ seed: 1, text: true, logLevel: "debug" });
  const lines = () =>
    making.sim.trace.lines("host").filter((line) => line.kind === "log").map(({ text }) => {
      const [, level = "", msg = "", fields = "{}"] = /^(\w+) (.*?) (\{.*\})$/.exec(text) ?? [];
      return { ...(JSON.parse(fields) as { readonly [field: string]: unknown }), level, msg };
    });
  return Promise.resolve({ making, lines });
});
