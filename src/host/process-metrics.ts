/** What the operating system and the runtime tell of this process, under the names that dashboards know. */
import { monitorEventLoopDelay } from "node:perf_hooks";
import type { Meter } from "../world/meter.js";

/** @param meter of one World of the process, so that nothing is counted twice */
export function observeProcess(meter: Meter): void {
  meter.observe("process_resident_memory_bytes", "Memory that the process holds", () => process.memoryUsage.rss());
  meter.observe("process_cpu_seconds_total", "Processor time used, user and system", () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  });
  meter.observe("process_start_time_seconds", "When the process started, since 1970", () => Date.now() / 1000 - process.uptime());
  meter.observe("nodejs_heap_used_bytes", "JavaScript heap in use", () => process.memoryUsage().heapUsed);
  observeLoop(meter);
}

/** How late the event loop of this thread is: each thread observes its own. */
export function observeLoop(meter: Meter): void {
  const delay = monitorEventLoopDelay({ resolution: 20 });
  delay.enable();
  meter.observe("nodejs_eventloop_lag_p99_seconds", "How late the event loop was, 99th percentile since the last scrape", () => {
    const seconds = delay.percentile(99) / 1e9;
    delay.reset();
    return seconds;
  });
}
