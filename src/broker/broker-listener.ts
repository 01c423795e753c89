/** Accepts connections on one listener, within the limits on their number, and closes idle ones. */
import type { World } from "../world/world.js";
import type { Connection, Listener } from "../world/network.js";
import { ClientConnection } from "./connection.js";
import type { BrokerServices } from "./services.js";

const SWEEP_MS = 5_000;

export class BrokerListener {
  readonly #connections = new Set<ClientConnection>();
  readonly #perHost = new Map<string, number>();
  #listener: Listener | null = null;
  #closed = false;

  constructor(readonly services: BrokerServices, readonly name: string, readonly bind: { readonly host: string; readonly port: number }) {}

  /** The port it listens on; 0 before open. */
  get port(): number {
    return this.#listener?.port ?? 0;
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  async open(): Promise<void> {
    this.#listener = await this.world.network.listen(this.bind, (connection) => this.#accept(connection));
    this.#sweepLater();
  }

  /** Stops accepting; `drop` ends the connections that are there. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#listener?.close();
    for (const connection of [...this.#connections]) connection.close();
  }

  get world(): World {
    return this.services.world;
  }

  #accept(connection: Connection): void {
    const { host } = connection.remote;
    const { settings, world } = this.services;
    const fromHost = this.#perHost.get(host) ?? 0;
    if (this.#closed || this.#connections.size >= settings.number("max.connections") || fromHost >= settings.number("max.connections.per.ip")) {
      if (!this.#closed) world.logger.warn({ client: host, connections: this.#connections.size }, "too many connections: refused, see max.connections and max.connections.per.ip");
      connection.destroy();
      return;
    }
    this.#perHost.set(host, fromHost + 1);
    const client = new ClientConnection(this.services, connection, this.name, () => {
      this.#connections.delete(client);
      const left = (this.#perHost.get(host) ?? 1) - 1;
      if (left === 0) this.#perHost.delete(host);
      else this.#perHost.set(host, left);
    });
    this.#connections.add(client);
  }

  #sweepLater(): void {
    this.world.clock.after(SWEEP_MS, () => {
      if (this.#closed) return;
      const limitMs = this.services.settings.number("connections.max.idle.ms");
      const now = this.world.clock.nowMs();
      if (limitMs > 0) for (const one of [...this.#connections]) if (!one.busy && now - one.lastActiveMs > limitMs) one.close();
      this.#sweepLater();
    });
  }
}
