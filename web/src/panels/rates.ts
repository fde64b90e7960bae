// How much room the venue leaves us, and how long each part of the way takes.

import { h, KeyedRows, setAttribute, setHidden, setText } from "../dom";
import { clockTime, percent } from "../format";
import { t, tName } from "../i18n";
import type { HopLatency, RateWindow } from "../protocol";
import type { State } from "../store";
import type { View } from "../view";
import { createPanel, createTable, type Widget } from "./panel";

export interface RatesInput {
  view: View;
  state: State;
}

interface WindowRow {
  root: HTMLElement;
  name: HTMLElement;
  value: HTMLElement;
  bar: HTMLElement;
}

const NEAR = 0.8;

export function createRates(): Widget<RatesInput> {
  const circuit = h("p", { class: "problem", role: "alert" });
  const list = h("ul", { class: "limits" });
  const none = h("p", { class: "hint" });
  const latencyTitle = h("h3", { class: "plot-title" });
  const table = createTable("latency", "rates.latency", "rates.noLatency", [
    ["rates.hop", ""],
    ["rates.p50", "num"],
    ["rates.p99", "num"],
    ["rates.max", "num minor"],
  ]);
  const panel = createPanel("rates", "rates.title", circuit, list, none, latencyTitle, table.root);
  const windows = new KeyedRows<RateWindow, WindowRow>(list, (item) => `${item.scope} ${item.name}`, createWindow, updateWindow);
  const hops = new KeyedRows<HopLatency, { root: HTMLElement; cells: HTMLElement[] }>(
    table.body,
    (hop) => hop.hop,
    () => {
      const cells = ["", "num", "num", "num minor"].map((kind) => h("td", { class: kind }));
      return { root: h("tr", {}, ...cells), cells };
    },
    (row, hop) => {
      const texts = [tName("hop", hop.hop), duration(hop.p50_ns), duration(hop.p99_ns), duration(hop.max_ns)];
      row.cells.forEach((cell, index) => setText(cell, texts[index] ?? ""));
      setAttribute(row.root, "data-hop", hop.hop);
      setAttribute(row.root, "title", t("rates.count", { n: hop.count }));
    },
  );

  return {
    root: panel.root,
    relabel() {
      panel.relabel();
      table.relabel();
      setText(none, t("rates.none"));
      setText(latencyTitle, t("rates.latency"));
    },
    render({ view, state }) {
      panel.setFreshness(view.fresh.budget);
      const budget = state.market.budget;
      const isOpen = budget?.circuit_open ?? false;
      setText(circuit, isOpen && budget ? t("rates.circuit", { reason: budget.circuit_reason, time: clockTime(budget.circuit_until_ms) }) : "");
      windows.render(budget?.windows ?? []);
      setHidden(none, (budget?.windows.length ?? 0) > 0);
      const { latency } = state;
      hops.render(latency);
      table.setEmpty(latency.length === 0);
    },
  };
}

function createWindow(): WindowRow {
  const name = h("span", { class: "limit-name" });
  const value = h("span", { class: "limit-value number" });
  const bar = h("span", { class: "limit-bar" });
  const track = h("span", { class: "limit-track", "aria-hidden": "true" }, bar);
  return { root: h("li", { class: "limit" }, name, value, track), name, value, bar };
}

function updateWindow(row: WindowRow, item: RateWindow): void {
  const share = item.limit > 0 ? item.used / item.limit : 0;
  setText(row.name, `${item.name} · ${tName("scope", item.scope)}`);
  setText(row.value, `${item.used} / ${item.limit} · ${percent(share, 1, 0)}`);
  const width = `${(Math.min(1, share) * 100).toFixed(1)}%`;
  if (row.bar.style.width !== width) row.bar.style.width = width;
  setAttribute(row.root, "data-window", item.name);
  setAttribute(row.root, "data-level", share >= 1 ? "bad" : share >= NEAR ? "warning" : "good");
  const reserve = item.cancel_reserve ? t("rates.reserve", { n: item.cancel_reserve }) : "";
  setAttribute(row.root, "title", reserve || undefined);
}

/** A latency with three digits. */
function duration(ns: number): string {
  const us = ns / 1_000;
  if (us < 1_000) return `${us.toFixed(us < 10 ? 1 : 0)} µs`;
  const ms = us / 1_000;
  return ms < 1_000 ? `${ms.toFixed(ms < 10 ? 2 : ms < 100 ? 1 : 0)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}
