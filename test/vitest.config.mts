import { defineConfig } from "vitest/config";

// Two cores: unit tests two files at a time. Files under e2e start real processes, so they run alone, after the others.
export default defineConfig({
  test: {
    projects: [
      { test: { name: "unit", include: ["test/**/*.test.ts"], exclude: ["test/e2e/**"], testTimeout: 60_000, hookTimeout: 60_000, pool: "forks", maxWorkers: 2, sequence: { groupOrder: 0 } } },
      { test: { name: "e2e", include: ["test/e2e/**/*.test.ts"], testTimeout: 180_000, hookTimeout: 120_000, pool: "forks", maxWorkers: 1, fileParallelism: false, sequence: { groupOrder: 1 } } },
    ],
  },
});
