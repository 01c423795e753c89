/** What Node's file errors mean to a node. */
import { DiskFault, type DiskFaultCode } from "../world/disk.js";

export function errorCode(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

export function diskFault(error: unknown, path: string): DiskFault {
  if (error instanceof DiskFault) return error;
  return new DiskFault(faultCode(errorCode(error)), path, error instanceof Error ? error.message : String(error), { cause: error });
}

function faultCode(code: string): DiskFaultCode {
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
      return "missing";
    case "ENOSPC":
    case "EDQUOT":
      return "full";
    default:
      return "failed";
  }
}
