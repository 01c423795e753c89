/** The broker role: logs, replicas, groups and listeners joined, in the order that safety asks for. */
import { BufferPool } from "../base/buffer-pool.js";
import { BrokerListener } from "../broker/broker-listener.js";
import { BrokerSettings } from "../broker/broker-settings-view.js";
import { TopicsOnFirstUse } from "../broker/auto-create.js";
import { ProducerIds } from "../broker/producer-ids.js";
import type { BrokerServices } from "../broker/services.js";
import { ControllerClient } from "../controller/client.js";
import { createGroupCoordinator, type GroupCoordinator } from "../coordinator/group/coordinator.js";
import { openLogDirectory } from "../log/log-directory.js";
import { FetchService } from "../replication/fetch-service.js";
import { ProduceService } from "../replication/produce-service.js";
import { ReplicaManager } from "../replication/replica-manager.js";
import type { ReplicasInspection } from "../replication/replicas.js";
import type { MetadataImage } from "../metadata/image.js";
import { initCodecs } from "../records/codecs.js";
import type { World } from "../world/world.js";
import type { NodeConfig } from "./config.js";

export interface BrokerRole {
  /** Where clients connect, by listener. */
  readonly addresses: readonly { readonly name: string; readonly host: string; readonly port: number }[];
  /** Registered, unfenced, leased, and up to date with the metadata. */
  isReady(): boolean;
  onReady(callback: () => void): void;
  /** Plain data, no effects: the replicas, the groups, and the metadata as applied here. */
  inspect(): { readonly replicas: ReplicasInspection; readonly groups: ReturnType<GroupCoordinator["inspect"]>; readonly image: MetadataImage };
  close(): Promise<void>;
}

const STOPPING_MS = 5_000;
/** Memory for large requests that is kept while nobody sends any, and the largest request it is kept for. */
const FRAMES = { keepMaxBytes: 32 * 1024 * 1024, largestBytes: 4 * 1024 * 1024 };

export async function startBroker(world: World, config: NodeConfig): Promise<BrokerRole> {
  await initCodecs();
  const { nodeId } = config;
  const incarnation = world.random.uuid();
  const directory = await openLogDirectory(world, { path: config.dataDirectory, nodeId, clusterId: null });
  const coordination = new ControllerClient(world, {
    nodeId,
    controllers: config.voters,
    heartbeatMs: config.settings.number("broker.heartbeat.interval.ms"),
    leaseMs: config.settings.number("broker.session.timeout.ms"),
  });
  const settings = new BrokerSettings(nodeId, config.settings, () => coordination.image);
  const replicas = new ReplicaManager(world, { nodeId, incarnation, coordination, directory, settings, defaults: settings.defaults, listener: config.interBrokerListener });
  const groups = createGroupCoordinator(world, { replicas, coordination, settings });
  coordination.onImage((image, previous) => {
    if (previous === null && image.clusterId !== "") world.own(directory.adoptCluster(image.clusterId), "noting the cluster in the log directory");
  });
  await replicas.start(); // opens logs first: what recovery lost is told with the registration
  const services: BrokerServices = {
    world,
    nodeId,
    settings,
    coordination,
    replicas,
    fetches: new FetchService(world, replicas, coordination, settings),
    produces: new ProduceService(replicas, coordination),
    groups,
    producerIds: new ProducerIds(coordination),
    firstUse: new TopicsOnFirstUse(world, coordination, settings),
    frames: new BufferPool(FRAMES),
  };
  meterBroker(world, services, replicas);

  // The port is open before registration, so that a refused dial is proof of death.
  const listeners = config.listeners.map((one) => new BrokerListener(services, one.name, one.bind));
  for (const listener of listeners) await listener.open();
  const advertised = config.listeners.map((one, i) => ({ ...one.advertised, port: one.advertised.port === 0 ? (listeners[i]?.port ?? 0) : one.advertised.port, host: one.advertised.host === "" ? "localhost" : one.advertised.host }));
  const inner = advertised.find((one) => one.name === config.interBrokerListener) ?? advertised[0];
  let ready: (() => void)[] = [];
  coordination.onSession((state) => {
    world.logger.info({ state }, "session");
    if (state !== "active") return;
    for (const callback of ready) callback();
    ready = [];
  });
  coordination.start({
    nodeId,
    incarnation,
    directories: [directory.directoryId],
    listeners: advertised,
    nodePort: { host: inner?.host ?? "localhost", port: inner?.port ?? 0 },
    rack: config.rack,
    previousBrokerEpoch: directory.previousBrokerEpoch,
    cleanShutdown: directory.cleanShutdown,
  });

  return {
    addresses: advertised.map(({ name, host, port }) => ({ name, host, port })),
    isReady: () => coordination.leased && coordination.controller !== null,
    onReady: (callback) => {
      if (coordination.leased) callback();
      else ready.push(callback);
    },
    inspect: () => ({ replicas: replicas.inspect(), groups: groups.inspect(), coordination: coordination.inspect(), image: coordination.image }),
    async close() {
      if (config.settings.flag("controlled.shutdown.enable")) await coordination.stopping(STOPPING_MS);
      groups.close();
      await coordination.close();
      await Promise.all(listeners.map((listener) => listener.close()));
      await replicas.close();
      await directory.close(coordination.brokerEpoch ?? -1n);
    },
  };
}

function meterBroker(world: World, services: BrokerServices, replicas: ReplicaManager): void {
  const { meter } = world;
  meter.observe("kontiki_broker_leased", "1 while this broker holds its lease.", () => (services.coordination.leased ? 1 : 0));
  meter.observe("kontiki_metadata_position", "Position of the newest metadata applied here.", () => Number(services.coordination.image.position));
  meter.observe("kontiki_replicas_leaders", "Partitions led here.", () => replicas.inspect().leaders);
  meter.observe("kontiki_replicas_followers", "Partitions followed here.", () => replicas.inspect().followers);
  meter.observe("kontiki_partitions_under_replicated", "Partitions led here whose ISR is not full.", () => replicas.unhealthy().length);
  meter.observe("kontiki_requests_waiting", "Produce and fetch requests that wait.", () => replicas.waiting.count);
  meter.observe("kontiki_acks_durable", "1 if acknowledged means on disk by this broker's default.", () => (services.settings.flag("kontiki.acks.durable") ? 1 : 0));
}
