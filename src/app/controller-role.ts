/** The controller role: the quorum and the service that decides. A function of a World and a config, whichever thread it runs in. */
import { ControllerService, type ControllerInspection } from "../controller/service.js";
import { startQuorum } from "../raft/driver.js";
import type { MetadataImage } from "../metadata/image.js";
import type { Quorum, QuorumInspection } from "../raft/quorum.js";
import type { World } from "../world/world.js";
import type { NodeConfig } from "./config.js";

export interface ControllerRole {
  readonly quorum: Quorum;
  /** Plain data, no effects: the quorum, and the metadata as committed and applied here. */
  inspect(): { readonly quorum: QuorumInspection; readonly service: ControllerInspection; readonly image: MetadataImage };
  /** Hands leadership over, then ends. */
  close(): Promise<void>;
}

export async function startController(world: World, config: NodeConfig): Promise<ControllerRole> {
  const service = new ControllerService(world, config.settings);
  const quorum = await startQuorum(
    world,
    {
      nodeId: config.nodeId,
      directory: `${config.metadataDirectory}/quorum`,
      peers: config.voters,
      segmentBytes: config.settings.number("kontiki.quorum.segment.bytes"),
      snapshotEntries: config.settings.number("kontiki.quorum.snapshot.entries"),
      ...(config.settings.has("controller.quorum.election.timeout.ms") ? { electionMs: config.settings.number("controller.quorum.election.timeout.ms") } : {}),
    },
    service.machine,
  );
  service.attach(quorum);
  return { quorum, inspect: () => ({ quorum: quorum.inspect(), service: service.inspect(), image: service.machine.image }), close: () => quorum.close() };
}
