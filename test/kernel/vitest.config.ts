import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/kernel/**/*.test.ts"],
    globalSetup: ["test/kernel/global-setup.ts"],
    setupFiles: ["test/kernel/write-tally.ts"],
    testTimeout: 480_000,
    // The kernel is one: files run one after the other.
    fileParallelism: false,
  },
});
