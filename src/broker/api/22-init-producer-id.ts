/**
 * InitProducerId, versions 0-5. Idempotent producers get an id of this broker's block and epoch 0; with an id and epoch given (KIP-360) too, since a fresh
 * id is always right for them. A transactional id is refused for good until transactions exist: retrying cannot help.
 */
import { errorCode } from "../../protocol/errors.js";
import { InitProducerIdRequest, InitProducerIdResponse } from "../../protocol/messages/22-init-producer-id.js";
import { handler } from "../handler.js";

export const initProducerId = handler(InitProducerIdRequest, InitProducerIdResponse, async (services, request) => {
  if (request.transactionalId !== null) {
    const error = request.transactionalId === "" ? "INVALID_REQUEST" : "TRANSACTIONAL_ID_AUTHORIZATION_FAILED";
    return { body: { errorCode: errorCode(error), producerId: -1n, producerEpoch: -1 } };
  }
  const outcome = await services.producerIds.next();
  if (!outcome.ok) return { body: { errorCode: errorCode(outcome.error), producerId: -1n, producerEpoch: -1 } };
  return { body: { producerId: outcome.id, producerEpoch: 0 } };
});
