/** Topics of a request by name or by id, against the newest metadata. */
import { NO_UUID, type Uuid } from "../../base/ids.js";
import type { MetadataImage, TopicImage } from "../../metadata/image.js";
import type { ErrorName } from "../../protocol/errors.js";

export type NamedTopic = { readonly ok: true; readonly topic: TopicImage } | { readonly ok: false; readonly error: ErrorName };

export function findTopic(image: MetadataImage, ask: { readonly name: string; readonly id: Uuid; readonly byId: boolean }): NamedTopic {
  if (ask.byId) {
    const topic = ask.id === NO_UUID ? null : image.topicById(ask.id);
    return topic === null ? { ok: false, error: "UNKNOWN_TOPIC_ID" } : { ok: true, topic };
  }
  const topic = image.topic(ask.name);
  return topic === null ? { ok: false, error: "UNKNOWN_TOPIC_OR_PARTITION" } : { ok: true, topic };
}

/** Does an offset that was committed to a topic of this id belong to the topic that has the name now? */
export function sameTopic(committedTo: Uuid | null, now: Uuid | null): boolean {
  return committedTo === null || now === null || committedTo === now;
}
