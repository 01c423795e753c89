/** Dynamic settings of topics and brokers: checked by name, type and range; each resource on its own. KIP-226, KIP-339. */
import type { AdminCommand, AdminReply, AdminResult, ConfigAlteration, ConfigReplacement } from "../../coordination/admin.js";
import { BROKER_SETTINGS } from "../../metadata/broker-settings.js";
import type { ClusterImage } from "../../metadata/cluster-image.js";
import type { ConfigType } from "../../metadata/image.js";
import type { MetadataRecord } from "../../metadata/records.js";
import { listOf, wrongWith } from "../../metadata/setting-value.js";
import { topicSetting, topicSettingText } from "../../metadata/topic-settings.js";
import type { ErrorName } from "../../protocol/errors.js";
import type { DecideContext, Decision } from "./context.js";

type Change = { readonly name: string; readonly value: string | null };
type Verdict = { readonly ok: true; readonly changes: readonly Change[] } | { readonly ok: false; readonly error: ErrorName; readonly message: string };

export function decideIncremental(image: ClusterImage, command: Extract<AdminCommand, { kind: "incremental-alter-configs" }>, context: DecideContext): Decision<AdminReply> {
  return decideEach(command.resources, command.validateOnly, (resource) => checkResource(image, resource.type, resource.name) ?? alterations(image, resource, context));
}

export function decideReplace(image: ClusterImage, command: Extract<AdminCommand, { kind: "alter-configs" }>): Decision<AdminReply> {
  return decideEach(command.resources, command.validateOnly, (resource) => checkResource(image, resource.type, resource.name) ?? replacement(image, resource));
}

function decideEach<R extends { readonly type: ConfigType; readonly name: string }>(resources: readonly R[], validateOnly: boolean, decide: (resource: R) => Verdict): Decision<AdminReply> {
  const records: MetadataRecord[] = [];
  const results = resources.map((resource): AdminResult => {
    const verdict = decide(resource);
    if (!verdict.ok) return { error: verdict.error, message: verdict.message, name: resource.name };
    if (!validateOnly && verdict.changes.length > 0) records.push({ kind: "config-changed", type: resource.type, name: resource.name, changes: verdict.changes });
    return { error: "NONE", message: null, name: resource.name };
  });
  return { records, reply: { error: null, message: null, results } };
}

function checkResource(image: ClusterImage, type: ConfigType, name: string): Verdict | null {
  if (type === "topic" && image.topic(name) === null) return { ok: false, error: "UNKNOWN_TOPIC_OR_PARTITION", message: `there is no topic ${name}` };
  if (type === "broker" && name !== "" && !/^\d+$/.test(name)) return { ok: false, error: "INVALID_REQUEST", message: `${name} is no broker id` };
  if (type === "group" || type === "client-metrics") return { ok: false, error: "INVALID_REQUEST", message: `settings of this kind of resource are not built yet` };
  return null;
}

function alterations(image: ClusterImage, resource: ConfigAlteration, context: DecideContext): Verdict {
  const changes: Change[] = [];
  for (const one of resource.operations) {
    let value = one.value;
    if (one.op === "delete") value = null;
    else if (value === null) return invalid(one.name, "a value is missing");
    else if (one.op !== "set") {
      if (typeOf(resource.type, one.name) !== "list") return invalid(one.name, "append and subtract are for lists only");
      const given = new Set(listOf(value));
      const now = listOf(current(image, resource, one.name, context) ?? "");
      value = (one.op === "append" ? [...now, ...[...given].filter((item) => !now.includes(item))] : now.filter((item) => !given.has(item))).join(",");
    }
    const wrong = wrongChange(resource.type, resource.name, one.name, value);
    if (wrong !== null) return invalid(one.name, wrong);
    changes.push({ name: one.name, value });
  }
  return { ok: true, changes };
}

function replacement(image: ClusterImage, resource: ConfigReplacement): Verdict {
  const given = new Map(resource.configs.map((config) => [config.name, config.value]));
  for (const [name, value] of given) {
    const wrong = value === null ? "a value is missing" : wrongChange(resource.type, resource.name, name, value);
    if (wrong !== null) return invalid(name, wrong);
  }
  const dropped = [...image.config(resource.type, resource.name).keys()].filter((name) => !given.has(name));
  return { ok: true, changes: [...given].map(([name, value]): Change => ({ name, value })).concat(dropped.map((name) => ({ name, value: null }))) };
}

function invalid(name: string, message: string): Verdict {
  return { ok: false, error: "INVALID_CONFIG", message: `${name}: ${message}` };
}

function current(image: ClusterImage, resource: ConfigAlteration, name: string, context: DecideContext): string | null {
  const setting = resource.type === "topic" ? topicSetting(name) : null;
  return setting === null ? (image.config(resource.type, resource.name).get(name) ?? context.setting(name)) : topicSettingText(image, resource.name, setting, context.defaults);
}

function typeOf(type: ConfigType, name: string): string | null {
  return (type === "topic" ? topicSetting(name) : (BROKER_SETTINGS.find((one) => one.name === name) ?? null))?.type ?? null;
}

/** @returns what is wrong with a new value, or null; a null value goes back to the default */
function wrongChange(type: ConfigType, resource: string, name: string, value: string | null): string | null {
  if (type === "topic") return value === null ? (topicSetting(name) === null ? "no such topic setting" : null) : wrongTopicSetting(name, value);
  const setting = BROKER_SETTINGS.find((one) => one.name === name);
  if (setting === undefined) return "no such broker setting";
  if (setting.update === "read-only") return "cannot be changed while a broker runs: put it into the node's file and restart";
  if (setting.update === "per-broker" && resource === "") return "is set for one broker at a time";
  return value === null ? null : wrongWith(setting, value);
}

export function wrongTopicSetting(name: string, value: string): string | null {
  const setting = topicSetting(name);
  if (setting === null) return "no such topic setting";
  if (name === "remote.storage.enable" && value === "true") return "tiered storage is not built";
  return wrongWith(setting, value);
}
