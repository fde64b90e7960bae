import { defineConfig } from "vitest/config";

// The pure modules need no browser; what touches the DOM is tested in a real one, by tests/e2e.
export default defineConfig({
  test: { include: ["test/**/*.test.ts"], environment: "node" },
});
