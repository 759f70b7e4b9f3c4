import { configDefaults, defineConfig } from "vitest/config";

// The conformance suite reads genuine rule sets from the directory CHAINWALK_CONFORMANCE names; without it there is nothing to
// run. The kernel tests need root and a configuration of their own.
const conformance = process.env.CHAINWALK_CONFORMANCE === undefined ? ["test/**/*.conformance.test.ts"] : [];

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: [...configDefaults.exclude, "test/kernel/**", ...conformance],
    testTimeout: 60_000,
  },
});
