/** A small Kafka client for our commands: it speaks to any Kafka-compatible cluster with the newest version both sides know. */
import { NO_UUID } from "../base/ids.js";
import { errorName } from "../protocol/errors.js";
import { decodeResponse, encodeRequestFrame, FrameSplitter } from "../protocol/frame.js";
import { ApiVersionsRequest, ApiVersionsResponse } from "../protocol/messages/18-api-versions.js";
import { DescribeClusterRequest, DescribeClusterResponse } from "../protocol/messages/60-describe-cluster.js";
import type { Message } from "../protocol/schema.js";
import type { Clock } from "../world/clock.js";
import type { Connection, Network } from "../world/network.js";

export { NO_UUID };

const FRAME_MAX_BYTES = 100 * 1024 * 1024;

/** Something a person can act on. */
export class CliError extends Error {
  override readonly name = "CliError";
}

export interface Reach {
  readonly network: Network;
  readonly clock: Clock;
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** One connection to one broker; requests one after the other. */
export class KafkaClient {
  #versions: ReadonlyMap<number, readonly [number, number]> = new Map();
  #correlation = 0;
  readonly #waiting = new Map<number, { readonly resolve: (frame: Uint8Array) => void; readonly reject: (error: Error) => void }>();
  readonly #splitter = new FrameSplitter(FRAME_MAX_BYTES);

  private constructor(readonly reach: Reach, readonly address: Address, readonly connection: Connection, readonly timeoutMs: number) {
    connection.onData((chunk) => {
      for (const frame of this.#splitter.push(chunk)) {
        const id = Buffer.from(frame.buffer, frame.byteOffset, 4).readInt32BE(0);
        this.#waiting.get(id)?.resolve(frame);
        this.#waiting.delete(id);
      }
    });
    connection.onFinish(() => connection.destroy());
    connection.onDrain(() => undefined);
    connection.onEnd((end) => {
      for (const one of this.#waiting.values()) one.reject(new CliError(`${address.host}:${address.port} ended the connection (${end})`));
      this.#waiting.clear();
    });
  }

  /** Tries each address in turn. @throws CliError when none answers */
  static async connect(reach: Reach, addresses: readonly Address[], timeoutMs: number): Promise<KafkaClient> {
    const failures: string[] = [];
    for (const address of addresses) {
      try {
        const connection = await reach.network.connect({ ...address, timeoutMs });
        const client = new KafkaClient(reach, address, connection, timeoutMs);
        const answer = await client.#send(ApiVersionsRequest, ApiVersionsResponse, 3, { clientSoftwareName: "kontiki-cli", clientSoftwareVersion: "0.1.0" });
        client.#versions = new Map(answer.apiKeys.map((api) => [api.apiKey, [api.minVersion, api.maxVersion]]));
        return client;
      } catch (error) {
        failures.push(`${address.host}:${address.port}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    throw new CliError(`no broker answers; is the cluster running, and is --bootstrap right?\n  ${failures.join("\n  ")}`);
  }

  /** True if the broker speaks some version of this API that we speak too. */
  speaks<Q, QIn>(request: Message<Q, QIn>): boolean {
    return this.#pick(request) !== null;
  }

  /** @throws CliError when the broker does not speak the API or does not answer in time */
  async ask<Q, QIn extends object, R, RIn>(request: Message<Q, QIn>, response: Message<R, RIn>, value: QIn | ((version: number) => QIn)): Promise<R> {
    const version = this.#pick(request);
    if (version === null) throw new CliError(`${this.address.host}:${this.address.port} does not speak API ${request.key} in a version that we know`);
    return this.#send(request, response, version, typeof value === "function" ? value(version) : value);
  }

  #pick<Q, QIn>(request: Message<Q, QIn>): number | null {
    const range = this.#versions.get(request.key);
    if (range === undefined) return null;
    const version = Math.min(range[1], request.versions[1]);
    return version >= Math.max(range[0], request.versions[0]) ? version : null;
  }

  async #send<Q, QIn, R, RIn>(request: Message<Q, QIn>, response: Message<R, RIn>, version: number, value: QIn): Promise<R> {
    const correlationId = ++this.#correlation;
    const frame = await new Promise<Uint8Array>((resolve, reject) => {
      const timer = this.reach.clock.after(this.timeoutMs, () => {
        this.#waiting.delete(correlationId);
        reject(new CliError(`${this.address.host}:${this.address.port} did not answer within ${this.timeoutMs} ms`));
      });
      const settle = <T>(fn: (value: T) => void) => (value: T) => {
        timer.cancel();
        fn(value);
      };
      this.#waiting.set(correlationId, { resolve: settle(resolve), reject: settle(reject) });
      this.connection.write(encodeRequestFrame(request, version, { correlationId, clientId: "kontiki-cli" }, value));
    });
    return decodeResponse(response, version, frame).body;
  }

  close(): void {
    this.connection.finish();
  }
}

/** `host:port,host:port`; the port may be left out. @throws CliError */
export function parseBootstrap(text: string): readonly Address[] {
  const addresses = text.split(",").map((part) => part.trim()).filter((part) => part !== "");
  if (addresses.length === 0) throw new CliError("--bootstrap needs host:port");
  return addresses.map((part) => {
    const match = /^(?:\[(.+)\]|([^:]+))(?::(\d+))?$/.exec(part);
    if (match === null) throw new CliError(`--bootstrap: ${part} is not host:port`);
    return { host: match[1] ?? match[2] ?? "", port: Number(match[3] ?? 9092) };
  });
}

/** One client for each broker of the cluster, by id; brokers that do not answer are left out. */
export async function connectAll(first: KafkaClient): Promise<{ readonly clients: ReadonlyMap<number, KafkaClient>; readonly cluster: DescribeClusterResponse }> {
  const cluster = await first.ask(DescribeClusterRequest, DescribeClusterResponse, (version) => (version >= 2 ? { includeFencedBrokers: true } : {}));
  if (cluster.errorCode !== 0) throw new CliError(`the cluster cannot be described: ${errorName(cluster.errorCode)} ${cluster.errorMessage ?? ""}`);
  const clients = new Map<number, KafkaClient>();
  await Promise.all(
    cluster.brokers.filter((broker) => !broker.isFenced).map(async (broker) => {
      try {
        clients.set(broker.brokerId, await KafkaClient.connect(first.reach, [{ host: broker.host, port: broker.port }], first.timeoutMs));
      } catch (error) {
        if (!(error instanceof CliError)) throw error;
      }
    }),
  );
  return { clients, cluster };
}
