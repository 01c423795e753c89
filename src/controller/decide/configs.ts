/** Dynamic settings of topics and brokers: checked by name, type and range; each resource on its own. KIP-226, KIP-339. */
import type { AdminCommand, AdminReply, AdminResult, ConfigAlteration, ConfigReplacement } from "../../coordination/admin.js";
import { BROKER_SETTINGS } from "../../metadata/broker-settings.js";
import type { ClusterImage } from "../../metadata/cluster-image.js";
import type { ConfigType } from "../../metadata/image.js";
import type { MetadataRecord } from "../../metadata/records.js";
import { replay } from "../../metadata/replay.js";
import { listOf, wrongWith } from "../../metadata/setting-value.js";
import { effectiveTopicSettings, topicSetting, topicSettingText } from "../../metadata/topic-settings.js";
import type { ErrorName } from "../../protocol/errors.js";
import { isAlive, type DecideContext, type Decision } from "./context.js";
import { changed, changeEach, elected } from "./partition-change.js";

const MIN_ISR = "min.insync.replicas";
const UNCLEAN = "unclean.leader.election.enable";

type Change = { readonly name: string; readonly value: string | null };
type Verdict = { readonly ok: true; readonly changes: readonly Change[] } | { readonly ok: false; readonly error: ErrorName; readonly message: string };

export function decideIncremental(image: ClusterImage, command: Extract<AdminCommand, { kind: "incremental-alter-configs" }>, context: DecideContext): Decision<AdminReply> {
  return decideEach(image, command, context, (resource) => checkResource(image, resource.type, resource.name) ?? alterations(image, resource, context));
}

export function decideReplace(image: ClusterImage, command: Extract<AdminCommand, { kind: "alter-configs" }>, context: DecideContext): Decision<AdminReply> {
  return decideEach(image, command, context, (resource) => checkResource(image, resource.type, resource.name) ?? replacement(image, resource));
}

type Resource = { readonly type: ConfigType; readonly name: string };

function decideEach<R extends Resource>(image: ClusterImage, command: { readonly resources: readonly R[]; readonly validateOnly: boolean }, context: DecideContext, decide: (resource: R) => Verdict): Decision<AdminReply> {
  const { resources, validateOnly } = command;
  const records: MetadataRecord[] = [];
  const results = resources.map((resource): AdminResult => {
    const twice = resources.filter((one) => one.type === resource.type && one.name === resource.name).length > 1;
    const verdict: Verdict = twice ? { ok: false, error: "INVALID_REQUEST", message: "Each resource must appear at most once." } : decide(resource);
    if (!verdict.ok) return { error: verdict.error, message: verdict.message, name: resource.name };
    const changes = resource.type === "broker" && resource.name === "" ? keptMinIsr(verdict.changes, context) : verdict.changes;
    const next = replayed(image, changes.length === 0 ? [] : [{ kind: "config-changed", type: resource.type, name: resource.name, changes }]);
    const conflict = resource.type === "topic" ? conflictIn(next, resource.name, context) : null;
    if (conflict !== null) return { error: "INVALID_CONFIG", message: conflict, name: resource.name };
    if (!validateOnly && changes.length > 0) records.push({ kind: "config-changed", type: resource.type, name: resource.name, changes });
    return { error: "NONE", message: null, name: resource.name };
  });
  return { records: [...records, ...consequences(image, records, context)], reply: { error: null, message: null, results } };
}

function replayed(image: ClusterImage, records: readonly MetadataRecord[]): ClusterImage {
  return records.length === 0 ? image : replay(image, records, image.position + 1n);
}

/**
 * The cluster-wide min.insync.replicas stands in the metadata from the first day and never leaves it: controller and leaders must count by the same number, or the
 * controller would hold replicas eligible that the leader no longer waits for (KIP-966).
 */
function keptMinIsr(changes: readonly Change[], context: DecideContext): readonly Change[] {
  return changes.map((one) => (one.name === MIN_ISR && one.value === null ? { name: MIN_ISR, value: context.setting(MIN_ISR) ?? "1" } : one));
}

/** What a change of these two settings means for partitions, in the same batch: nobody stays eligible beside an ISR that suffices, and who may lead now does. */
function consequences(image: ClusterImage, records: readonly MetadataRecord[], context: DecideContext): readonly MetadataRecord[] {
  const weighty = records.some((record) => record.kind === "config-changed" && record.changes.some(({ name }) => name === MIN_ISR || name === UNCLEAN));
  if (!weighty) return [];
  const next = replayed(image, records);
  return changeEach(next, { broker: null, wanted: (row) => row.elrBits !== 0 || row.leader < 0 }, context, (p, rules) => {
    const minIsr = rules.minIsr(p.replicas.length);
    return changed(p, elected(p, p.isr, p.isr.length >= minIsr ? [] : p.elr, { alive: (id) => isAlive(next, id), minIsr, unclean: rules.unclean }));
  });
}

function conflictIn(image: ClusterImage, topic: string, context: DecideContext): string | null {
  const settings = effectiveTopicSettings(image, topic, context.defaults);
  return settings.number("min.compaction.lag.ms") > settings.number("max.compaction.lag.ms") ? "min.compaction.lag.ms must not be above max.compaction.lag.ms" : null;
}

function checkResource(image: ClusterImage, type: ConfigType, name: string): Verdict | null {
  if (type === "topic" && image.topic(name) === null) return { ok: false, error: "UNKNOWN_TOPIC_OR_PARTITION", message: `there is no topic ${name}` };
  if (type === "broker" && name !== "" && !/^\d+$/.test(name)) return { ok: false, error: "INVALID_REQUEST", message: `${name} is no broker id` };
  if (type === "group" || type === "client-metrics") return { ok: false, error: "INVALID_REQUEST", message: `settings of this kind of resource are not built yet` };
  return null;
}

function alterations(image: ClusterImage, resource: ConfigAlteration, context: DecideContext): Verdict {
  const changes: Change[] = [];
  const names = resource.operations.map((one) => one.name);
  if (new Set(names).size !== names.length) return { ok: false, error: "INVALID_REQUEST", message: "Each setting must appear at most once." };
  for (const one of resource.operations) {
    let value = one.value;
    if (one.op === "delete") value = null;
    else if (value === null) return { ok: false, error: "INVALID_REQUEST", message: `Null value not supported for : ${one.name}` };
    else if (one.op !== "set") {
      if (typeOf(resource.type, one.name) !== "list") return invalid(one.name, "append and subtract are for lists only");
      const given = new Set(listOf(value));
      const now = listOf(current(image, resource, one.name, context) ?? "");
      value = (one.op === "append" ? [...now, ...[...given].filter((item) => !now.includes(item))] : now.filter((item) => !given.has(item))).join(",");
    }
    const wrong = wrongChange(resource.type, resource.name, one.name, value);
    if (wrong !== null) return wrong;
    changes.push({ name: one.name, value });
  }
  return { ok: true, changes };
}

function replacement(image: ClusterImage, resource: ConfigReplacement): Verdict {
  const given = new Map(resource.configs.map((config) => [config.name, config.value]));
  for (const [name, value] of given) {
    const wrong = value === null ? invalid(name, "a value is missing") : wrongChange(resource.type, resource.name, name, value);
    if (wrong !== null) return wrong;
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

/** A null value goes back to the default. */
function wrongChange(type: ConfigType, resource: string, name: string, value: string | null): Verdict | null {
  const said = (wrong: string | null): Verdict | null => (wrong === null ? null : invalid(name, wrong));
  if (type === "topic") return said(value !== null ? wrongTopicSetting(name, value) : topicSetting(name) === null ? "no such topic setting" : null);
  const setting = BROKER_SETTINGS.find((one) => one.name === name);
  if (setting === undefined) return said("no such broker setting");
  if (setting.update === "read-only") return { ok: false, error: "INVALID_REQUEST", message: `Cannot update these configs dynamically: ${name}; put it into the node's file and restart` };
  if (setting.update === "per-broker" && resource === "") return { ok: false, error: "INVALID_REQUEST", message: `Cannot update these configs at default cluster level: ${name}` };
  if (name === MIN_ISR && resource !== "") return said("is set for a topic or for the whole cluster, not for one broker");
  return value === null ? null : said(wrongWith(setting, value));
}

export function wrongTopicSetting(name: string, value: string): string | null {
  const setting = topicSetting(name);
  if (setting === null) return "no such topic setting";
  if (name === "remote.storage.enable" && value === "true") return "tiered storage is not built";
  return wrongWith(setting, value);
}
