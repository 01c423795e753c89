/** Joins a message declaration with the function that answers it: decode, handle, encode. */
import { encodeResponseFrame } from "../protocol/frame.js";
import type { Message } from "../protocol/schema.js";
import type { Reply } from "./connection.js";
import type { Answer, BrokerServices, RequestContext } from "./services.js";

/** One API of the table, its types hidden: what `handle` returns goes to the same handler's `reply`. */
export interface Handler {
  readonly key: number;
  speaks(version: number): boolean;
  /** @param admit lets the connection's next request begin before this one is answered. @throws ProtocolError from decoding */
  handle(services: BrokerServices, body: Uint8Array, context: RequestContext, admit: () => void): Answer<unknown> | Promise<Answer<unknown>>;
  reply(answer: Answer<unknown>, version: number, correlationId: number): Reply;
}

type Handle<Q, In> = (services: BrokerServices, request: Q, context: RequestContext, admit: () => void) => Answer<In> | Promise<Answer<In>>;

export function handler<Q, QIn, R, In>(request: Message<Q, QIn>, response: Message<R, In>, handle: Handle<Q, In>): Handler {
  return {
    key: request.key,
    speaks: (version) => request.speaks(version),
    handle: (services, body, context, admit) => handle(services, request.decode(body, context.version), context, admit),
    reply(answer, version, correlationId) {
      const release = answer.release ?? null;
      if (answer.drop === true) return { parts: [], release, drop: true };
      if (answer.body === null) return { parts: [], release, drop: false };
      const body = response.encode(answer.body as In, version); // made by `handle` above
      return { parts: encodeResponseFrame(request.key, version, correlationId, body), release, drop: false };
    },
  };
}

/** What the group coordinator wants to know of a request. */
export function groupContext(context: RequestContext): { readonly version: number; readonly clientId: string; readonly clientHost: string; readonly listener: string } {
  return { version: context.version, clientId: context.clientId ?? "", clientHost: `/${context.connection.remoteHost}`, listener: context.connection.listener };
}
