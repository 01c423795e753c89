/** Where new leaders are, told along with NOT_LEADER_OR_FOLLOWER so that a client need not ask (KIP-951). */
import type { NodeId } from "../base/ids.js";
import type { MetadataImage } from "../metadata/image.js";

export function leaderEndpoints(image: MetadataImage, ids: readonly number[], listener: string): { nodeId: number; host: string; port: number; rack: string | null }[] {
  return [...new Set(ids)].flatMap((id) => {
    const broker = id < 0 ? null : image.broker(id as NodeId);
    const where = broker?.listeners.find((one) => one.name === listener);
    return broker === null || where === undefined ? [] : [{ nodeId: id, host: where.host, port: where.port, rack: broker.rack }];
  });
}
