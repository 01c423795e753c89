/** Values of settings as they come over the wire: text, checked by the setting's type and range. */

export interface ValueRule {
  readonly type: "int" | "long" | "short" | "double" | "boolean" | "string" | "list" | "class" | "password";
  readonly min?: number;
  readonly max?: number;
  /** Allowed although outside min and max. */
  readonly orIn?: readonly number[];
  readonly oneOf?: readonly string[];
  readonly anyCase?: boolean;
  readonly pattern?: RegExp;
}

const RANGES = {
  short: [-32768n, 32767n],
  int: [-(2n ** 31n), 2n ** 31n - 1n],
  long: [-(2n ** 63n), 2n ** 63n - 1n],
} as const;

/** @returns what is wrong with the value, or null */
export function wrongWith(rule: ValueRule, value: string): string | null {
  const text = value.trim();
  switch (rule.type) {
    case "short":
    case "int":
    case "long": {
      if (!/^[+-]?\d{1,30}$/.test(text)) return `Not a number of type ${rule.type.toUpperCase()}`;
      const n = BigInt(text);
      const [min, max] = RANGES[rule.type];
      if (n < min || n > max) return `Not a number of type ${rule.type.toUpperCase()}`;
      return outside(rule, Number(text));
    }
    case "double":
      if (!/^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/.test(text)) return "Not a number of type DOUBLE";
      return outside(rule, Number(text));
    case "boolean":
      return /^(true|false)$/i.test(text) ? null : "Expected value to be either true or false";
    case "list":
      for (const item of listOf(value)) {
        const wrong = notAllowed(rule, item);
        if (wrong !== null) return wrong;
      }
      return null;
    case "string":
    case "class":
    case "password":
      return notAllowed(rule, value);
  }
}

/** Items of a list value, blanks dropped. */
export function listOf(value: string): readonly string[] {
  return value.split(",").map((item) => item.trim()).filter((item) => item !== "");
}

function outside(rule: ValueRule, n: number): string | null {
  if (rule.orIn?.includes(n) === true) return null;
  if (rule.min !== undefined && n < rule.min) return `Value must be at least ${rule.min}`;
  if (rule.max !== undefined && n > rule.max) return `Value must be no more than ${rule.max}`;
  return null;
}

function notAllowed(rule: ValueRule, value: string): string | null {
  if (rule.pattern !== undefined && !rule.pattern.test(value)) return "the value does not have the expected form";
  if (rule.oneOf === undefined) return null;
  const fits = rule.anyCase === true ? rule.oneOf.some((one) => one.toLowerCase() === value.toLowerCase()) : rule.oneOf.includes(value);
  return fits ? null : `String must be one of: ${rule.oneOf.join(", ")}`;
}
