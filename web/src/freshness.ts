// Which numbers can be trusted, and since when not. Pure.
//
// A number is stale when this page lost its server, when the server lost the stream the number comes from, or when the
// engine says that its own source is down. The earliest of these is "since when".

import type { State } from "./store";

export interface Freshness {
  stale: boolean;
  /** On this machine's clock, Unix ms; 0 while fresh. */
  sinceMs: number;
  cause: "link" | "engine" | "connector" | "none";
  detail: string;
}

/** The page's own connection to its server. */
export interface Link {
  up: boolean;
  /** On this machine's clock, Unix ms. */
  sinceMs: number;
  /** This machine's clock minus the server's, ms. */
  clockOffsetMs: number;
}

/** What a panel shows. */
export type Topic = "candles" | "prices" | "bot" | "account" | "orders" | "budget";

const FRESH: Freshness = { stale: false, sinceMs: 0, cause: "none", detail: "" };

/** Connector streams that carry a topic when no engine tells it. */
const CONNECTOR_SOURCES: Record<Topic, string> = {
  candles: "candles",
  prices: "prices",
  bot: "engine",
  account: "account",
  orders: "orders",
  budget: "budget",
};

/** The engine's own connections a topic depends on. */
const ENGINE_CONNECTIONS: Record<Topic, readonly string[]> = {
  candles: [],
  prices: ["connector", "book"],
  bot: ["connector", "private"],
  account: ["connector", "private"],
  orders: ["connector", "private"],
  budget: [],
};

/** Freshness of a topic as told by the engine for one bot, or by the connector when `botId` is null. */
export function freshnessOf(state: State, link: Link, topic: Topic, botId: string | null): Freshness {
  const causes: Freshness[] = [];
  if (!link.up) causes.push({ stale: true, sinceMs: link.sinceMs, cause: "link", detail: "" });
  const sourceName = botId === null || topic === "candles" || topic === "budget" ? CONNECTOR_SOURCES[topic] : "engine";
  const source = state.sources.get(sourceName);
  if (source?.stale) {
    const cause = sourceName === "engine" ? "engine" : "connector";
    causes.push({ stale: true, sinceMs: source.since_ms + link.clockOffsetMs, cause, detail: source.detail });
  }
  const bot = botId === null ? undefined : state.bots.get(botId);
  for (const connection of bot?.connections ?? []) {
    if (!connection.up && ENGINE_CONNECTIONS[topic].includes(connection.name)) {
      causes.push({
        stale: true,
        sinceMs: connection.since_ms + link.clockOffsetMs,
        cause: "connector",
        detail: connection.detail,
      });
    }
  }
  return causes.reduce((worst, next) => (!worst.stale || next.sinceMs < worst.sinceMs ? next : worst), FRESH);
}
