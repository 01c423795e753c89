/** Calls between brokers and controllers: a protobuf envelope around msgpack bodies. */
import { Packr } from "msgpackr";
import protobuf from "protobufjs";
import type { NodeId, Uuid } from "../base/ids.js";
import type { AdminCommand, AdminReply } from "../coordination/admin.js";
import type { IsrChange, IsrOutcome, QuorumDescription, Refusal } from "../coordination/coordination.js";
import type { ErrorName } from "../protocol/errors.js";
import type { Registering } from "./decide/brokers.js";
import { CONTROLLER_PROTO } from "./proto-text.js";

export const SESSION = "kontiki.controller.v1.Controller/Session";
export const FEED = "kontiki.controller.v1.Controller/Feed";

/** What a broker says on its session. `register` comes first. */
export type Question =
  | { readonly kind: "register"; readonly broker: Registering }
  | { readonly kind: "heartbeat"; readonly applied: bigint; readonly stopping: boolean; readonly ends: readonly { readonly topicId: Uuid; readonly partition: number; readonly lastEpoch: number; readonly end: number }[] }
  | { readonly kind: "alter-isr"; readonly changes: readonly IsrChange[] }
  | { readonly kind: "admin"; readonly command: AdminCommand }
  | { readonly kind: "producer-ids" }
  | { readonly kind: "describe-quorum" }
  | { readonly kind: "confirm" }
  /** The last word of a clean stop: no proof of death is needed. */
  | { readonly kind: "goodbye" };

export type Reply =
  | { readonly kind: "registered"; readonly epoch: bigint; readonly fenced: boolean }
  /** `position`: what this controller has applied. */
  | { readonly kind: "heartbeat"; readonly fenced: boolean; readonly safeToStop: boolean; readonly position: bigint }
  | { readonly kind: "alter-isr"; readonly outcomes: readonly IsrOutcome[] }
  /** Committed at `position` or before. */
  | { readonly kind: "admin"; readonly reply: AdminReply; readonly position: bigint }
  | { readonly kind: "producer-ids"; readonly first: bigint; readonly count: number }
  | { readonly kind: "describe-quorum"; readonly quorum: QuorumDescription }
  | { readonly kind: "confirm"; readonly ok: boolean }
  /** Not the active controller; who may be. */
  | { readonly kind: "not-active"; readonly leader: NodeId | null }
  | { readonly kind: "refused"; readonly error: ErrorName; readonly message: string };

export type FeedQuestion = { readonly kind: "follow"; readonly from: bigint; readonly clusterId: string };
export type FeedReply =
  | { readonly kind: "snapshot"; readonly position: bigint; readonly block: Uint8Array; readonly first: boolean; readonly last: boolean }
  | { readonly kind: "batches"; readonly batches: readonly { readonly position: bigint; readonly bytes: Uint8Array }[] }
  | { readonly kind: "current"; readonly position: bigint };

export class WireError extends Error {
  override readonly name = "WireError";
}

const envelope = protobuf.parse(CONTROLLER_PROTO).root.lookupType("kontiki.controller.v1.Call");
const packr = new Packr({ useRecords: false, variableMapSize: true, copyBuffers: true });

export function encodeCall<T extends { readonly kind: string }>(id: number, message: T): Uint8Array {
  const { kind, ...body } = message;
  return envelope.encode({ id, kind, body: packr.pack(body) }).finish();
}

/** @throws WireError. The shape of the body is what our own nodes send; what it means is checked where it is decided. */
export function decodeCall<T extends { readonly kind: string }>(bytes: Uint8Array): { readonly id: number; readonly message: T } {
  try {
    const read = envelope.decode(bytes) as unknown as { readonly id: number; readonly kind: string; readonly body: Uint8Array };
    const body: unknown = packr.unpack(read.body);
    if (typeof body !== "object" || body === null) throw new WireError("a call without a body");
    return { id: read.id, message: { ...body, kind: read.kind } as unknown as T };
  } catch (error) {
    throw new WireError("a call cannot be read", { cause: error });
  }
}

/**
 * Checks what a controller relies on in a question before it looks at it, so that a broken or hostile caller loses its stream and harms nobody else.
 *
 * @throws WireError
 */
export function checkedQuestion(question: Question): Question {
  if (!isSound(question)) throw new WireError(`a question of kind ${String((question as { readonly kind: unknown }).kind)} that makes no sense`);
  return question;
}

function isSound(question: Question): boolean {
  const list = (value: unknown): boolean => Array.isArray(value) && value.every((one) => typeof one === "object" && one !== null);
  switch (question.kind) {
    case "register": {
      const { broker } = question;
      if (typeof broker !== "object" || broker === null) return false;
      const ids = Array.isArray(broker.directories) && [broker.incarnation, ...broker.directories].every((id) => /^[A-Za-z0-9_-]{22}$/.test(id));
      return ids && isNodeId(broker.nodeId) && list(broker.listeners) && list(broker.lost) && list([broker.nodePort, broker.features]) && typeof broker.clusterId === "string";
    }
    case "heartbeat":
      return typeof question.applied === "bigint" && typeof question.stopping === "boolean" && list(question.ends);
    case "alter-isr":
      return list(question.changes) && question.changes.every((change) => list(change.isr));
    case "admin":
      return typeof question.command === "object" && question.command !== null && COMMANDS.includes(question.command.kind);
    case "producer-ids":
    case "describe-quorum":
    case "confirm":
    case "goodbye":
      return true;
    default:
      return false;
  }
}

function isNodeId(id: unknown): boolean {
  return typeof id === "number" && Number.isInteger(id) && id >= 0 && id <= 0x7fffffff;
}

const COMMANDS: readonly AdminCommand["kind"][] = ["create-topics", "delete-topics", "create-partitions", "incremental-alter-configs", "alter-configs", "elect-leaders"];

export type { Refusal };
