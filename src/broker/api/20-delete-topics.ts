/** DeleteTopics, versions 1-6. v5 error messages, v6 by id. */
import { NO_UUID } from "../../base/ids.js";
import { errorCode } from "../../protocol/errors.js";
import { DeleteTopicsRequest, DeleteTopicsResponse } from "../../protocol/messages/20-delete-topics.js";
import { adminDeadline, refuseTwice } from "../admin.js";
import { handler } from "../handler.js";

export const deleteTopics = handler(DeleteTopicsRequest, DeleteTopicsResponse, async (services, request, context) => {
  const asked = context.version >= 6 ? request.topics : request.topicNames.map((name) => ({ name, topicId: NO_UUID }));
  if (!services.settings.flag("delete.topic.enable")) {
    return { body: { responses: asked.map((one) => ({ name: one.name, topicId: one.topicId, errorCode: errorCode("TOPIC_DELETION_DISABLED"), errorMessage: "delete.topic.enable is false" })) } };
  }
  const sound = asked.filter((one) => (one.name === null) !== (one.topicId === NO_UUID));
  const unsound = asked.filter((one) => !sound.includes(one));
  const { once, twice } = refuseTwice(sound, (one) => one.name ?? one.topicId);
  const reply = await services.coordination.admin({ kind: "delete-topics", topics: once.map((one) => ({ name: one.name, id: one.topicId === NO_UUID ? null : one.topicId })) }, adminDeadline(request.timeoutMs));
  const responses = once.map((one, i) => {
    const result = reply.results[i];
    const error = reply.error ?? result?.error ?? "UNKNOWN_SERVER_ERROR";
    const name = error === "UNKNOWN_TOPIC_ID" ? null : (one.name ?? result?.name ?? null);
    return { name, topicId: result?.topicId ?? one.topicId, errorCode: errorCode(error), errorMessage: reply.message ?? result?.message ?? null };
  });
  return {
    body: {
      responses: [
        ...responses,
        ...unsound.map((one) => ({ name: one.name, topicId: one.topicId, errorCode: errorCode("INVALID_REQUEST"), errorMessage: "give either a name or an id" })),
        ...twice.map((name) => ({ name, errorCode: errorCode("INVALID_REQUEST"), errorMessage: "the request names this topic more than once" })),
      ],
    },
  };
});
