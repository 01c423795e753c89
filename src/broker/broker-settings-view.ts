/**
 * A broker's settings as they are in force: dynamic ones of this broker, then the cluster-wide default, then the file, then the built-in default
 * (KIP-226). Read through the image on each call, so that a change takes effect at once.
 */
import type { NodeId } from "../base/ids.js";
import { BROKER_SETTINGS, type BrokerSetting } from "../metadata/broker-settings.js";
import type { MetadataImage } from "../metadata/image.js";
import type { BrokerDefaults } from "../metadata/topic-settings.js";

/** The static part, as the node's file and environment gave it. */
export interface StaticSettings {
  has(name: string): boolean;
  text(name: string): string | null;
  given(): readonly (readonly [string, string])[];
}

export type ConfigSource = "broker" | "default-broker" | "static" | "default";

export interface SettingValue {
  readonly name: string;
  readonly value: string | null;
  readonly source: ConfigSource;
}

export class BrokerSettings {
  readonly #byName: ReadonlyMap<string, BrokerSetting>;

  constructor(readonly nodeId: NodeId, readonly fixed: StaticSettings, readonly image: () => MetadataImage) {
    this.#byName = new Map(BROKER_SETTINGS.map((setting) => [setting.name, setting]));
  }

  text(name: string): string | null {
    return this.layers(name)[0]?.value ?? null;
  }

  number(name: string): number {
    return Number(this.text(name));
  }

  flag(name: string): boolean {
    return this.text(name)?.toLowerCase() === "true";
  }

  /** Every layer that has a value, the one in force first. */
  layers(name: string): readonly SettingValue[] {
    const image = this.image();
    const found: SettingValue[] = [];
    const own = image.config("broker", String(this.nodeId)).get(name);
    if (own !== undefined) found.push({ name, value: own, source: "broker" });
    const cluster = image.config("broker", "").get(name);
    if (cluster !== undefined) found.push({ name, value: cluster, source: "default-broker" });
    if (this.fixed.has(name)) found.push({ name, value: this.fixed.text(name), source: "static" });
    const setting = this.#byName.get(name);
    if (setting !== undefined && setting.default !== null) found.push({ name, value: setting.default, source: "default" });
    return found;
  }

  definition(name: string): BrokerSetting | null {
    return this.#byName.get(name) ?? null;
  }

  /** Every known name, sorted. */
  names(): readonly string[] {
    return BROKER_SETTINGS.map((setting) => setting.name);
  }

  /** What topics inherit from this node's own file. */
  get defaults(): BrokerDefaults {
    return { brokerId: this.nodeId, given: (name) => (this.fixed.has(name) ? this.fixed.text(name) : null) };
  }
}
