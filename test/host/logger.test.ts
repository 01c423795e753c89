import { describeLogger } from "../conformance/logger.js";
import { hostMaking } from "./making.js";

describeLogger("Node, pino", async () => {
  const making = await hostMaking();
  return { making, lines: () => making.lines.map((line) => JSON.parse(line) as { readonly [field: string]: unknown }) };
});
