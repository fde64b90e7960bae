// The strip under the header: the numbers one looks for first.

import { h, setSign, setText } from "../dom";
import { price, duration, isZero, money, NONE, percent, plain, ratePercent, signedMoney, signOf } from "../format";
import type { Freshness } from "../freshness";
import { type Key, t } from "../i18n";
import type { DayPnl } from "../protocol";
import type { View } from "../view";
import type { Widget } from "./panel";

interface Tile {
  root: HTMLElement;
  label: HTMLElement;
  value: HTMLElement;
  note: HTMLElement;
}

const TILES = ["kpi.last", "kpi.today", "kpi.change", "kpi.equity", "kpi.grid", "kpi.position", "kpi.fills", "kpi.orders", "kpi.funding"] as const;

export interface SummaryInput {
  view: View;
  today: DayPnl | null;
  nowMs: number;
}

export function createSummary(): Widget<SummaryInput> {
  const tiles = new Map<Key, Tile>(TILES.map((key) => [key, createTile(key)]));
  const root = h("div", { class: "summary" }, ...[...tiles.values()].map((tile) => tile.root));

  const set = (key: Key, value: string, note: string, fresh: Freshness, sign?: number): void => {
    const tile = tiles.get(key);
    if (!tile) return;
    setText(tile.value, value);
    setText(tile.note, note);
    tile.root.toggleAttribute("data-stale", fresh.stale);
    if (sign !== undefined) setSign(tile.value, sign);
  };

  return {
    root,
    relabel() {
      for (const [key, tile] of tiles) setText(tile.label, t(key));
    },
    render({ view, nowMs, today }) {
      const { bot, fresh } = view;
      const prices = bot?.prices;
      const spread = prices?.bid && prices.ask ? t("kpi.spread", { bid: plain(prices.bid), ask: plain(prices.ask) }) : "";
      set("kpi.last", price(view.lastPrice, view.priceDecimals), spread, fresh.prices);

      const pnl = bot?.pnl;
      const todayShare = pnl && today ? percent(Number(today.equity_change), Number(pnl.equity) - Number(today.equity_change)) : "";
      set("kpi.today", signedMoney(today?.equity_change), todayShare, fresh.bot, signOf(today?.equity_change));
      const start = pnl ? Number(pnl.equity) - Number(pnl.equity_change) : 0;
      const share = pnl ? percent(Number(pnl.equity_change), start) : "";
      set("kpi.change", signedMoney(pnl?.equity_change), share, fresh.bot, signOf(pnl?.equity_change));
      const equity = pnl?.equity ?? view.account?.margin;
      set("kpi.equity", money(equity), pnl?.asset ?? view.account?.asset ?? "", pnl ? fresh.bot : fresh.account);
      const cycles = pnl ? t("kpi.cycles", { n: pnl.cycles }) : "";
      set("kpi.grid", signedMoney(pnl?.grid_profit), cycles, fresh.bot, signOf(pnl?.grid_profit));

      const position = view.position;
      const flat = !position || isZero(position.size);
      const entry = flat ? t("kpi.flat") : t("kpi.entry", { price: price(position.entry_price, view.priceDecimals) });
      set("kpi.position", plain(position?.size), entry, fresh.account, signOf(position?.size));

      const buys = view.orders.filter((order) => order.side === "BUY").length;
      const split = t("kpi.split", { buys, sells: view.orders.length - buys });
      set("kpi.orders", String(view.orders.length), split, fresh.orders);
      const maker = pnl && pnl.fills > 0 ? t("kpi.maker", { share: percent(pnl.maker_fills, pnl.fills, 0) }) : "";
      set("kpi.fills", pnl ? String(pnl.fills) : NONE, maker, fresh.bot);

      const nextMs = bot?.funding.next_ms ?? 0;
      const wait = nextMs > nowMs ? t("kpi.fundingIn", { age: duration(nextMs - nowMs) }) : "";
      set("kpi.funding", bot ? ratePercent(bot.funding.rate) : NONE, wait, fresh.bot);
    },
  };
}

function createTile(key: string): Tile {
  const label = h("div", { class: "tile-label" });
  const value = h("div", { class: "tile-value number", "data-kpi": key.slice("kpi.".length) });
  const note = h("div", { class: "tile-note number" });
  return { root: h("div", { class: "tile" }, label, value, note), label, value, note };
}
