/** The text form of a node's configuration: `name=value` lines as Kafka reads them, and the environment as Apache's image reads it. */

/** @returns name → value; a later line wins, as in Java. `#` and `!` begin a comment, a trailing backslash joins lines */
export function parseProperties(text: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const line of wholeLines(text)) {
    const cut = (/^(?:\\.|[^\\=:\s])*/.exec(line)?.[0] ?? "").length; // up to a separator that is not escaped
    const value = line.slice(cut).replace(/^\s*[=:]?\s*/, "");
    found.set(unescape(line.slice(0, cut)), unescape(value));
  }
  return found;
}

/** Lines joined where an odd number of backslashes ends them; blank ones and comments (which are never joined) left out. */
function wholeLines(text: string): readonly string[] {
  const lines: string[] = [];
  let begun: string | null = null;
  for (const raw of text.split(/\r?\n/)) {
    const line: string = (begun ?? "") + raw.trim();
    if (begun === null && (line === "" || line.startsWith("#") || line.startsWith("!"))) continue;
    const goesOn = (/\\*$/.exec(line)?.[0].length ?? 0) % 2 === 1;
    begun = goesOn ? line.slice(0, -1) : null;
    if (!goesOn) lines.push(line);
  }
  if (begun !== null) lines.push(begun);
  return lines;
}

function unescape(text: string): string {
  return text.replace(/\\(u[0-9a-fA-F]{4}|.)/g, (_, code: string) => {
    if (code.length === 5) return String.fromCharCode(parseInt(code.slice(1), 16));
    return { n: "\n", t: "\t", r: "\r" }[code] ?? code;
  });
}

/**
 * `KAFKA_NODE_ID` is `node.id`; `__` stands for `_` and `___` for `-`, as in Apache's image. Names that are no setting are
 * left out, since the environment is full of other programs' words.
 */
export function propertiesOfEnvironment(environment: Readonly<Record<string, string | undefined>>, known: ReadonlySet<string>): Map<string, string> {
  const found = new Map<string, string>();
  for (const [key, value] of Object.entries(environment)) {
    if (value === undefined || !/^(KAFKA|KONTIKI)_/.test(key)) continue;
    const words = key.startsWith("KAFKA_") ? key.slice("KAFKA_".length) : key;
    const name = words
      .replace(/___/g, "-")
      .replace(/__/g, "\u0000")
      .replace(/_/g, ".")
      .replace(/\u0000/g, "_")
      .toLowerCase();
    if (known.has(name)) found.set(name, value);
  }
  return found;
}
