/**
 * Which replicas here count what is written before it is on the disk (kontiki.acks.durable=false). After a power failure such a replica may have lost what
 * it acknowledged without a trace, and at the next start its topic's settings are not known before the broker registers. So the list is on the disk
 * before the laxer rule counts, and a replica once listed stays: too much on it costs a refetch after a power failure, too little would cost records.
 */
import type { Disk } from "../world/disk.js";
import { writeFileAtomically } from "../world/atomic-file.js";

const FILE = "kontiki-lax-replicas";

export class LaxList {
  readonly #listed = new Set<string>(); // on the disk
  readonly #wanted = new Set<string>();
  #writing: Promise<void> | null = null;

  constructor(readonly disk: Disk, readonly folder: string) {}

  /** Called once, before anything is asked. */
  async load(): Promise<void> {
    const bytes = await this.disk.readFile(`${this.folder}/${FILE}`);
    for (const line of Buffer.from(bytes ?? []).toString("utf8").split("\n")) if (line !== "") this.#listed.add(line);
  }

  has(key: string): boolean {
    return this.#listed.has(key);
  }

  /** Resolves when it is listed durably. One write at a time, which takes all that came meanwhile. */
  async add(key: string): Promise<void> {
    this.#wanted.add(key);
    while (!this.#listed.has(key)) await (this.#writing ??= this.#write());
  }

  async #write(): Promise<void> {
    const all = [...new Set([...this.#listed, ...this.#wanted])].sort();
    await writeFileAtomically(this.disk, `${this.folder}/${FILE}`, Buffer.from(all.map((line) => `${line}\n`).join("")));
    for (const key of all) {
      this.#listed.add(key);
      this.#wanted.delete(key);
    }
    this.#writing = null;
  }
}
