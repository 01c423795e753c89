/** What Node's socket errors mean: for a dial, and for a connection that has ended. */
import { type ConnectionEnd, NetworkFault, type NetworkFaultCode } from "../world/network.js";
import { errorCode } from "./disk-fault.js";

export function networkFault(error: unknown): NetworkFault {
  if (error instanceof NetworkFault) return error;
  return new NetworkFault(faultCode(errorCode(error)), error instanceof Error ? error.message : String(error), { cause: error });
}

function faultCode(code: string): NetworkFaultCode {
  switch (code) {
    case "ECONNREFUSED":
      return "refused";
    case "ECONNRESET":
    case "EPIPE":
      return "reset";
    case "ETIMEDOUT":
      return "timed-out";
    case "EHOSTUNREACH":
    case "ENETUNREACH":
    case "EHOSTDOWN":
    case "ENETDOWN":
    case "ENOTFOUND":
    case "EAI_AGAIN":
    case "EAI_FAIL":
    case "EAI_NODATA":
      return "unreachable";
    case "EADDRINUSE":
      return "address-in-use";
    default:
      return "failed";
  }
}

/** @param error null where both sides had finished, or this side dropped it */
export function connectionEnd(error: Error | null): ConnectionEnd {
  if (error === null) return "closed";
  return errorCode(error) === "ETIMEDOUT" ? "timed-out" : "reset";
}
