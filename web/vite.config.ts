import { defineConfig } from "vite";

// Everything is a file of our own origin: no inlined assets, so that the strictest content policy holds.
export default defineConfig({
  base: "./",
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 400,
    rolldownOptions: {
      output: {
        // The chart library changes rarely: browsers keep it across our releases.
        codeSplitting: { groups: [{ name: "charts", test: /node_modules/ }] },
      },
    },
  },
  server: {
    // `npm run dev` shows the page against a running `opensqt demo`.
    proxy: {
      "/ws": { target: "http://127.0.0.1:8081", ws: true, headers: { origin: "http://127.0.0.1:8081" }, changeOrigin: true },
      "/api": { target: "http://127.0.0.1:8081", changeOrigin: true },
      "/health": "http://127.0.0.1:8081",
    },
  },
});
