/**
 * Produce, versions 3-13 (0 is advertised as the minimum for old librdkafka, and closes the connection). v7 zstd, v8 record errors (KIP-467), v10 leader
 * hints (KIP-951), v13 topic ids. The next request of the connection begins as soon as these batches have their place in their logs.
 */
import { ProduceRequest, ProduceResponse } from "../../protocol/messages/00-produce.js";
import { handler } from "../handler.js";

export const produce = handler(ProduceRequest, ProduceResponse, (services, request, context, admit) => services.produces.produce(request, { version: context.version, clientId: context.clientId, listener: context.connection.listener, admit, recycle: () => context.recycle() }));
