/** A World's network: listeners and dials of one process on one machine. */
import { type Connection, type Listener, type Network, NetworkFault } from "../world/network.js";
import { SimConnection, type WaterMarks } from "./connection.js";
import type { Address, Bound, Fabric } from "./fabric.js";
import type { Life } from "./life.js";
import type { Station } from "./links.js";
import type { Scheduler } from "./scheduler.js";
import type { Seeded } from "./seeded.js";
import type { Keepalive, Socket } from "./socket.js";

/** As the Node making asks TCP for it, with Linux's nine probes of 75 s. */
const KEEPALIVE: Keepalive = { everyMs: 30_000, deadMs: 705_000 };

export class SimNetwork implements Network {
  readonly connections = new Set<SimConnection>();
  listeners = 0;
  readonly #life: Life;
  readonly #scheduler: Scheduler;
  readonly #fabric: Fabric;
  readonly #station: Station;
  readonly #draws: Seeded;
  readonly #marks: WaterMarks;

  constructor(life: Life, scheduler: Scheduler, fabric: Fabric, station: Station, draws: Seeded, marks: WaterMarks) {
    this.#life = life;
    this.#scheduler = scheduler;
    this.#fabric = fabric;
    this.#station = station;
    this.#draws = draws;
    this.#marks = marks;
  }

  listen(options: { readonly host: string; readonly port: number }, onConnection: (connection: Connection) => void): Promise<Listener> {
    return this.#life.awaited<Listener>((resolve, reject) => {
      let open = true;
      const bound: Bound = {
        kind: "bytes",
        ownerFor: () => this.#life,
        accept: (socket, local, remote) => {
          if (!open) return socket.close("reset"); // the listener was closed before this one was taken from its queue
          this.#life.run(() => onConnection(this.#wrap(socket, local, remote)));
        },
      };
      const port = this.#fabric.bind(this.#station, options.port, bound);
      if (port === null) return this.#soon(() => reject(new NetworkFault("address-in-use", `${options.host}:${options.port}`)));
      this.listeners++;
      const unbind = () => this.#fabric.unbind(this.#station, port, bound);
      const forget = this.#life.keep(unbind);
      const close = () =>
        this.#life.awaited<void>((closed) => {
          if (open) this.listeners--;
          open = false;
          forget();
          unbind();
          this.#soon(() => closed());
        });
      this.#soon(() => resolve({ host: options.host, port, close }));
    });
  }

  connect(options: { readonly host: string; readonly port: number; readonly timeoutMs: number }): Promise<Connection> {
    const { host, port, timeoutMs } = options;
    return this.#life.awaited<Connection>((resolve, reject) => {
      this.#fabric.dial({
        from: this.#station,
        owner: this.#life,
        to: { host, port },
        kind: "bytes",
        hello: "",
        keepalive: KEEPALIVE,
        timeoutMs,
        onOpen: (socket, local) => this.#life.run(() => resolve(this.#wrap(socket, local, { host, port }))),
        onFault: (fault) => this.#life.run(() => reject(fault)),
      });
    });
  }

  #wrap(socket: Socket, local: Address, remote: Address): SimConnection {
    const connection: SimConnection = new SimConnection(this.#life, this.#scheduler, socket, this.#draws, this.#marks, local, remote, () => void this.connections.delete(connection));
    this.connections.add(connection);
    return connection;
  }

  #soon(act: () => void): void {
    const { thread } = this.#life;
    this.#scheduler.at(thread.nowMs, thread, () => this.#life.run(act));
  }
}
