/** Reads the topics out of a ConsumerProtocolSubscription: the one thing a broker wants to know of consumers' opaque metadata. */
import { ProtocolError, Reader } from "../../protocol/schema.js";

/** Null for bytes that are no subscription. Versions differ only in what follows the topics. */
export function subscribedTopics(metadata: Uint8Array): readonly string[] | null {
  try {
    const reader = new Reader(metadata);
    if (reader.int16() < 0) return null;
    const count = reader.int32();
    if (count < 0 || count * 2 > reader.remaining) return null;
    const topics: string[] = [];
    for (let i = 0; i < count; i++) topics.push(reader.text(reader.int16()));
    return topics;
  } catch (error) {
    if (error instanceof ProtocolError) return null;
    throw error;
  }
}
