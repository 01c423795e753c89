/**
 * What an answer means for what was asked. `fail`: it did not happen and never will; `info`: it may have happened, or may yet.
 * From the protocol's list of codes and what Kafka's brokers do before they send each (Produce: KIP-98, KIP-679, KIP-966; groups: KIP-345).
 * Whatever is not listed is unknown, and so is every lost connection and every timeout after a request was written.
 */
import { errorName, type ErrorName } from "../../protocol/errors.js";
import type { Outcome } from "./history.js";

export type Subject = "produce" | "commit" | "admin";

/**
 * Refusals that are given before anything is appended. NOT_LEADER_OR_FOLLOWER is none of them: a leader that is deposed while a batch waits for its
 * followers answers so, and the batch may live on. Nor are UNKNOWN_TOPIC_OR_PARTITION and KAFKA_STORAGE_ERROR: the topic went, or the disk failed, meanwhile.
 */
const REFUSALS: { readonly [subject in Subject]: ReadonlySet<ErrorName> } = {
  produce: new Set<ErrorName>([
    "CORRUPT_MESSAGE",
    "MESSAGE_TOO_LARGE",
    "RECORD_LIST_TOO_LARGE",
    "NOT_ENOUGH_REPLICAS",
    "INVALID_REQUIRED_ACKS",
    "INVALID_TOPIC_EXCEPTION",
    "TOPIC_AUTHORIZATION_FAILED",
    "CLUSTER_AUTHORIZATION_FAILED",
    "TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
    "INVALID_TIMESTAMP",
    "INVALID_RECORD",
    "UNSUPPORTED_FOR_MESSAGE_FORMAT",
    "UNSUPPORTED_COMPRESSION_TYPE",
    "POLICY_VIOLATION",
    "OUT_OF_ORDER_SEQUENCE_NUMBER",
    "INVALID_PRODUCER_EPOCH",
    "INVALID_TXN_STATE",
    "THROTTLING_QUOTA_EXCEEDED",
  ]),
  // A coordinator that loses its place answers NOT_COORDINATOR also for what it has appended by then; one that loads has appended nothing.
  commit: new Set<ErrorName>([
    "COORDINATOR_LOAD_IN_PROGRESS",
    "ILLEGAL_GENERATION",
    "UNKNOWN_MEMBER_ID",
    "FENCED_INSTANCE_ID",
    "REBALANCE_IN_PROGRESS",
    "GROUP_ID_NOT_FOUND",
    "INVALID_GROUP_ID",
    "OFFSET_METADATA_TOO_LARGE",
    "INVALID_COMMIT_OFFSET_SIZE",
    "GROUP_AUTHORIZATION_FAILED",
    "TOPIC_AUTHORIZATION_FAILED",
    "STALE_MEMBER_EPOCH",
    "FENCED_MEMBER_EPOCH",
  ]),
  admin: new Set<ErrorName>([
    "TOPIC_ALREADY_EXISTS",
    "INVALID_TOPIC_EXCEPTION",
    "INVALID_PARTITIONS",
    "INVALID_REPLICATION_FACTOR",
    "INVALID_REPLICA_ASSIGNMENT",
    "INVALID_CONFIG",
    "INVALID_REQUEST",
    "POLICY_VIOLATION",
    "OFFSET_OUT_OF_RANGE",
    "UNKNOWN_TOPIC_OR_PARTITION",
    "UNKNOWN_TOPIC_ID",
    "TOPIC_DELETION_DISABLED",
    "ELECTION_NOT_NEEDED",
    "PREFERRED_LEADER_NOT_AVAILABLE",
    "ELIGIBLE_LEADERS_NOT_AVAILABLE",
    "CLUSTER_AUTHORIZATION_FAILED",
    "TOPIC_AUTHORIZATION_FAILED",
    "REASSIGNMENT_IN_PROGRESS",
    "THROTTLING_QUOTA_EXCEEDED",
  ]),
};

export function outcomeOf(subject: Subject, code: number): Exclude<Outcome, "open"> {
  if (code === 0) return "ok";
  return REFUSALS[subject].has(errorName(code)) ? "fail" : "info";
}

/** What becomes of an operation that was tried several times: refused only if every try was. */
export function outcomeOfAll(tries: { readonly attempts: number; readonly unknowns: number }): "fail" | "info" {
  return tries.unknowns === 0 ? "fail" : "info";
}
