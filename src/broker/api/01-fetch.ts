/**
 * Fetch, versions 4-18. v7 sessions (KIP-227), v11 racks, v12 truncation detection (KIP-595), v13 topic ids, v15 replica state (KIP-903), v16 leader hints
 * (KIP-951). A replica's fetch needs a connection that has shown its session token.
 */
import { FetchRequest, FetchResponse } from "../../protocol/messages/01-fetch.js";
import { handler } from "../handler.js";

export const fetch = handler(FetchRequest, FetchResponse, (services, request, context) => services.fetches.fetch(request, { version: context.version, clientId: context.clientId, connection: context.connection }));
