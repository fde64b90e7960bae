import { readdirSync } from "node:fs";
import { defineConfig } from "vite";

// The pure modules are tested by Node's own runner; Vite only turns TypeScript into what Node reads.
const tests = readdirSync("test").filter((name) => name.endsWith(".test.ts"));

export default defineConfig({
  publicDir: false,
  build: {
    ssr: true,
    outDir: "node_modules/.page-tests",
    emptyOutDir: true,
    rolldownOptions: {
      input: Object.fromEntries(tests.map((name) => [name.replace(/\.ts$/, ""), `test/${name}`])),
    },
  },
});
