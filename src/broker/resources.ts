/** Kafka's numbers for kinds of resources and sources of settings, on the wire of the config APIs. */
import type { ConfigType } from "../metadata/image.js";

const TYPES: readonly (readonly [number, ConfigType])[] = [
  [2, "topic"],
  [4, "broker"],
  [16, "client-metrics"],
  [32, "group"],
];

export function configTypeOf(code: number): ConfigType | null {
  return TYPES.find(([known]) => known === code)?.[1] ?? null;
}

/** ConfigSource as DescribeConfigs and CreateTopics carry it. */
export const CONFIG_SOURCE = { topic: 1, broker: 2, "default-broker": 3, static: 4, default: 5 } as const;

/** ConfigType as DescribeConfigs v3 carries it. */
export const CONFIG_TYPE = { boolean: 1, string: 2, int: 3, short: 4, long: 5, double: 6, list: 7, class: 8, password: 9 } as const;
