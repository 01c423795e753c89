/** Settings by Kafka's names, checked at the start: what is wrong stops the node with one line that says what to do. */
import { BROKER_SETTINGS, type BrokerSetting } from "../metadata/broker-settings.js";

export class SettingsError extends Error {
  override readonly name = "SettingsError";
}

/** The node's static settings. Values were checked when they were read, so the typed getters cannot fail on them. */
export class Settings {
  readonly #given: ReadonlyMap<string, string>;

  constructor(given: ReadonlyMap<string, string>) {
    this.#given = given;
  }

  /** True if the file or the environment sets it. */
  has(name: string): boolean {
    return this.#given.has(name);
  }

  /** As given, or the default; null where there is neither. */
  text(name: string): string | null {
    return this.#given.get(name) ?? SETTING_BY_NAME.get(name)?.default ?? null;
  }

  number(name: string): number {
    const text = this.text(name);
    if (text === null) throw new SettingsError(`${name} is required: add a line ${name}=...`);
    return Number(text);
  }

  flag(name: string): boolean {
    return this.text(name)?.toLowerCase() === "true";
  }

  list(name: string): readonly string[] {
    return splitList(this.text(name) ?? "");
  }

  /** Everything given, by name, sorted. */
  given(): readonly (readonly [string, string])[] {
    return [...this.#given].sort(([a], [b]) => (a < b ? -1 : 1));
  }
}

export interface SettingsReport {
  readonly settings: Settings;
  /** One line each: settings without meaning here, unknown names. */
  readonly warnings: readonly string[];
}

const SETTING_BY_NAME: ReadonlyMap<string, BrokerSetting> = new Map(BROKER_SETTINGS.map((setting) => [setting.name, setting]));

export const SETTING_NAMES: ReadonlySet<string> = new Set(SETTING_BY_NAME.keys());

/** @throws SettingsError with every problem found, one a line */
export function readSettings(given: ReadonlyMap<string, string>): SettingsReport {
  const problems: string[] = [];
  const warnings: string[] = [];
  for (const [name, value] of given) {
    const setting = SETTING_BY_NAME.get(name);
    if (setting === undefined) {
      if (isGuarded(name)) problems.push(`${name}: not built yet; a node that ignored it would be less safe than you asked for. Remove it to run without`);
      else {
        const near = nearest(name);
        if (near !== null) problems.push(`${name}: no such setting; did you mean ${near}?`);
        else warnings.push(`${name}: unknown setting, ignored`);
      }
      continue;
    }
    const wrong = checkValue(setting, value);
    if (wrong !== null) problems.push(`${name}=${isSecret(setting) ? "[hidden]" : value}: ${wrong}`);
    else if (setting.use === "guard" && value !== (setting.default ?? "") && !(name === "ssl.client.auth" && value === "none")) {
      problems.push(`${name}: not built yet; a node that ignored it would be less safe than you asked for. Remove it to run without`);
    } else if (setting.use === "none") warnings.push(`${name}: has no meaning here, ignored`);
  }
  if (problems.length > 0) throw new SettingsError(problems.join("\n"));
  return { settings: new Settings(given), warnings };
}

/** @returns what is wrong with the value, or null */
export function checkValue(setting: BrokerSetting, value: string): string | null {
  switch (setting.type) {
    case "int":
    case "long":
    case "short":
    case "double": {
      const pattern = setting.type === "double" ? /^-?\d+(\.\d+)?([eE]-?\d+)?$/ : /^-?\d+$/;
      if (!pattern.test(value.trim())) return `must be a number`;
      const n = Number(value);
      if (setting.type === "int" && Math.abs(n) > 2 ** 31) return "does not fit into 32 bits";
      if (setting.min !== undefined && n < setting.min) return `must be at least ${setting.min}`;
      if (setting.max !== undefined && n > setting.max) return `must be at most ${setting.max}`;
      return null;
    }
    case "boolean":
      return /^(true|false)$/i.test(value.trim()) ? null : "must be true or false";
    case "list":
      return setting.oneOf === undefined ? null : oneOf(setting, splitList(value));
    case "string":
    case "class":
    case "password":
      return setting.oneOf === undefined ? null : oneOf(setting, [value]);
  }
}

function oneOf(setting: BrokerSetting, values: readonly string[]): string | null {
  const allowed = setting.oneOf ?? [];
  for (const value of values) {
    const hit = setting.anyCase === true ? allowed.some((one) => one.toLowerCase() === value.toLowerCase()) : allowed.includes(value);
    if (!hit) return `must be one of ${allowed.join(", ")}`;
  }
  return null;
}

export function splitList(text: string): readonly string[] {
  return text.split(",").map((part) => part.trim()).filter((part) => part !== "");
}

function isSecret(setting: BrokerSetting): boolean {
  return setting.type === "password";
}

/** Names that carry a listener's prefix are about TLS and SASL; an authorizer's own settings are about access. */
function isGuarded(name: string): boolean {
  return /^listener\.name\./.test(name) || /^sasl\./.test(name) || /^(super\.users|allow\.everyone\.if\.no\.acl\.found)$/.test(name) || name.startsWith("authorizer.");
}

/** The known name within two edits, so that a slip of the finger is not silently ignored. */
function nearest(name: string): string | null {
  let best: string | null = null;
  let bestEdits = 3;
  for (const known of SETTING_NAMES) {
    const edits = editDistance(name, known, bestEdits);
    if (edits < bestEdits) {
      best = known;
      bestEdits = edits;
    }
  }
  return best;
}

/** Levenshtein distance, or `limit` as soon as it is reached. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = a[i - 1] === b[j - 1] ? 0 : 1;
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + change));
    }
    row = next;
  }
  return Math.min(row[b.length] ?? limit, limit);
}
