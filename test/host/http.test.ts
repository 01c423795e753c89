import { expect, test } from "vitest";
import { type HttpAnswer, serveHttp } from "../../src/host/http.js";
import { HostMeter } from "../../src/host/meter.js";
import { observeProcess } from "../../src/host/process-metrics.js";
import { prometheusText } from "../../src/host/prometheus.js";

const ok = (body: string): HttpAnswer => ({ status: 200, contentType: "text/plain", body });

test("answers GET on known paths and refuses the rest", async () => {
  const routes = {
    "/live": () => ok("live\n"),
    "/ready": () => Promise.resolve({ status: 503, contentType: "application/json", body: '{"ready":false}' }),
    "/broken": () => {
      throw new Error("a secret");
    },
  };
  const server = await serveHttp({ host: "127.0.0.1", port: 0, routes });
  try {
    const get = async (path: string, method = "GET") => {
      const response = await fetch(`http://127.0.0.1:${server.port}${path}`, { method });
      return [response.status, response.headers.get("content-type"), await response.text()];
    };
    expect(await get("/live?x=1")).toEqual([200, "text/plain", "live\n"]);
    expect(await get("/live", "HEAD")).toEqual([200, "text/plain", ""]);
    expect(await get("/ready")).toEqual([503, "application/json", '{"ready":false}']);
    expect((await get("/constructor"))[0]).toBe(404);
    expect((await get("/live", "POST"))[0]).toBe(405);
    expect(await get("/broken")).toEqual([500, "text/plain; charset=utf-8", "failed\n"]);
    await expect(serveHttp({ host: "127.0.0.1", port: server.port, routes })).rejects.toMatchObject({ code: "address-in-use" });
  } finally {
    await server.close();
  }
});

test("the process tells of itself in a scrape", async () => {
  const meter = new HostMeter();
  observeProcess(meter);
  const text = await prometheusText([meter.snapshot()]);
  expect(text).toMatch(/^process_resident_memory_bytes \d{7,}$/m);
  expect(text).toMatch(/^process_cpu_seconds_total \d/m);
  expect(text).toMatch(/^nodejs_eventloop_lag_p99_seconds /m);
});
