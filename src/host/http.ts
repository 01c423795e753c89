/** A very small HTTP server for metrics and health: GET only, fixed paths, everything bounded. */
import * as http from "node:http";
import { networkFault } from "./network-fault.js";

export interface HttpAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string | Uint8Array;
}

/** By path, for instance "/metrics". What a route throws becomes a 500 without details. */
export interface HttpRoutes {
  readonly [path: string]: () => HttpAnswer | Promise<HttpAnswer>;
}

export interface HttpServer {
  readonly port: number;
  close(): Promise<void>;
}

const CONNECTIONS_MAX = 64;
const HEADERS_MAX_BYTES = 8 * 1024;
const REQUEST_MAX_MS = 10_000;

/** @throws NetworkFault "address-in-use", "failed" */
export function serveHttp(options: { readonly host: string; readonly port: number; readonly routes: HttpRoutes }): Promise<HttpServer> {
  const limits = { maxHeaderSize: HEADERS_MAX_BYTES, requestTimeout: REQUEST_MAX_MS, headersTimeout: REQUEST_MAX_MS, keepAliveTimeout: 5_000 };
  const server = http.createServer(limits, (request, response) => void answer(options.routes, request, response));
  server.maxConnections = CONNECTIONS_MAX;
  server.setTimeout(REQUEST_MAX_MS);
  return new Promise((resolve, reject) => {
    server.once("error", (error) => reject(networkFault(error)));
    server.listen(options.port, options.host, () => {
      const address = server.address();
      resolve({ port: address !== null && typeof address === "object" ? address.port : 0, close: () => close(server) });
    });
  });
}

async function answer(routes: HttpRoutes, request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
  const { status, contentType, body } = await judge(routes, request);
  const head: http.OutgoingHttpHeaders = { "content-type": contentType, "content-length": Buffer.byteLength(body), "cache-control": "no-store", "x-content-type-options": "nosniff" };
  if (status === 405) head["allow"] = "GET, HEAD";
  if (status === 405 || status === 413) head["connection"] = "close"; // its body is not read
  response.writeHead(status, head);
  response.end(request.method === "HEAD" ? undefined : body);
}

async function judge(routes: HttpRoutes, request: http.IncomingMessage): Promise<HttpAnswer> {
  if (request.method !== "GET" && request.method !== "HEAD") return text(405, "only GET\n");
  const [path = "/"] = (request.url ?? "/").split("?", 1);
  const route = Object.hasOwn(routes, path) ? routes[path] : undefined;
  if (route === undefined) return text(404, "not found\n");
  try {
    return await route();
  } catch {
    return text(500, "failed\n");
  }
}

function text(status: number, body: string): HttpAnswer {
  return { status, contentType: "text/plain; charset=utf-8", body };
}

function close(server: http.Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
