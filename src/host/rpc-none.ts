/** For a World that speaks to no other role: a command at a terminal needs no gRPC. */
import { failedStream } from "./rpc-pair.js";
import type { Carrier } from "./rpc-carrier.js";

export const NO_RPC: Carrier = {
  serve: () => ({ stop: () => undefined }),
  open: (to) => failedStream(to, "unreachable"),
};
