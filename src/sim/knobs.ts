/** Settings that a seed draws: what in production takes gigabytes and hours happens here within a minute. */
import type { Seeded } from "./seeded.js";

type Settings = { [name: string]: string };

/** Of all nodes. */
export function drawSettings(seeded: Seeded): Settings {
  const settings: Settings = {
    "offsets.topic.num.partitions": String(seeded.pick([1, 2, 4])), // production's fifty are fifty times the same
  };
  const set = (name: string, probability: number, values: readonly (string | number)[]) => {
    const draws = seeded.fork(name);
    if (draws.chance(probability)) settings[name] = String(draws.pick(values));
  };
  set("controller.quorum.election.timeout.ms", 0.5, [400, 700, 1_500, 2_500]);
  set("broker.session.timeout.ms", 0.5, [1_500, 2_000, 5_000, 9_000]);
  const leaseMs = Number(settings["broker.session.timeout.ms"] ?? 3_000);
  set("broker.heartbeat.interval.ms", 0.5, [Math.round(leaseMs / 8), Math.round(leaseMs / 5)]);
  set("replica.lag.time.max.ms", 0.6, [2_000, 5_000, 10_000]);
  set("kontiki.quorum.snapshot.entries", 0.6, [10, 10, 50, 300]);
  set("kontiki.quorum.segment.bytes", 0.5, [2_048, 16_384, 65_536]);
  set("log.retention.check.interval.ms", 0.7, [500, 2_000, 10_000]);
  set("log.segment.delete.delay.ms", 0.6, [0, 500, 5_000]);
  set("log.index.interval.bytes", 0.4, [0, 64, 1_024]);
  set("replica.high.watermark.checkpoint.interval.ms", 0.4, [200, 1_000]);
  set("replica.fetch.wait.max.ms", 0.4, [20, 100, 1_000]);
  set("replica.fetch.max.bytes", 0.4, [1_024, 16_384]);
  set("replica.fetch.response.max.bytes", 0.3, [2_048, 65_536]);
  set("max.incremental.fetch.session.cache.slots", 0.3, [0, 1, 3]);
  set("offsets.topic.segment.bytes", 0.5, [4_096, 65_536]);
  set("offsets.retention.check.interval.ms", 0.4, [1_000, 10_000]);
  set("group.initial.rebalance.delay.ms", 0.7, [0, 100, 1_000]);
  set("leader.imbalance.check.interval.seconds", 0.5, [1, 5, 30]);
  set("request.timeout.ms", 0.2, [2_000, 10_000]);
  return settings;
}

/** Of one topic. @param index the first topic of a plan keeps everything, so that there is always one whose log explains all */
export function drawTopicConfigs(seeded: Seeded, index: number): Settings {
  const configs: Settings = {};
  const set = (name: string, probability: number, values: readonly (string | number)[]) => {
    const draws = seeded.fork(name);
    if (draws.chance(probability)) configs[name] = String(draws.pick(values));
  };
  set("segment.index.bytes", 0.4, [64, 256, 1_024]); // an index that is full begins a new segment
  set("segment.ms", 0.3, [1_000, 5_000, 20_000]);
  set("index.interval.bytes", 0.4, [0, 256]);
  set("internal.segment.bytes", 0.4, [4_096, 65_536]);
  set("message.timestamp.type", 0.2, ["LogAppendTime"]);
  if (index === 0) return configs;
  set("kontiki.acks.durable", 0.3, ["false"]);
  set("retention.ms", 0.25, [5_000, 20_000]);
  set("retention.bytes", 0.15, [20_000, 200_000]);
  set("min.insync.replicas", 0.15, [1, 3]);
  return configs;
}
