// Every link a number travels over, with its state and its age.

import { h, KeyedRows, setAttribute, setText } from "../dom";
import { clockTime, duration } from "../format";
import type { Link } from "../freshness";
import { type Key, t } from "../i18n";
import type { State } from "../store";
import type { View } from "../view";
import { createPanel, type Widget } from "./panel";

export interface ConnectionsInput {
  view: View;
  state: State;
  link: Link;
}

type LinkState = "up" | "stale" | "down" | "unknown";

interface LinkRow {
  key: string;
  label: string;
  state: LinkState;
  note: string;
  detail: string;
}

interface RowElement {
  root: HTMLElement;
  label: HTMLElement;
  state: HTMLElement;
  note: HTMLElement;
}

const SOURCE_KEYS: Record<string, Key> = {
  engine: "connections.engine",
  venue: "connections.venue",
  candles: "connections.candles",
  prices: "connections.prices",
  orders: "connections.orders",
  account: "connections.account",
  positions: "connections.positions",
  budget: "connections.budget",
};

const BOT_KEYS: Record<string, Key> = {
  connector: "connections.botConnector",
  book: "connections.botBook",
  private: "connections.botPrivate",
};

export function createConnections(): Widget<ConnectionsInput> {
  const list = h("ul", { class: "links" });
  const panel = createPanel("connections", "connections.title", list);
  const rows = new KeyedRows<LinkRow, RowElement>(list, (row) => row.key, createRow, updateRow);

  return {
    root: panel.root,
    relabel: () => panel.relabel(),
    render: (input) => rows.render(linkRows(input)),
  };
}

function linkRows({ view, state, link }: ConnectionsInput): LinkRow[] {
  const nowMs = Date.now();
  const since = (ms: number): string => t("connections.since", { time: clockTime(ms) });
  const rows: LinkRow[] = [
    { key: "page", label: t("connections.page"), state: link.up ? "up" : "down", note: since(link.sinceMs), detail: "" },
  ];
  for (const source of state.sources.values()) {
    const stateNow: LinkState = !link.up ? "unknown" : !source.up ? "down" : source.stale ? "stale" : "up";
    const heardMs = source.heard_ms + link.clockOffsetMs;
    rows.push({
      key: `source ${source.name}`,
      label: label(SOURCE_KEYS, source.name),
      state: stateNow,
      note:
        stateNow === "up" && source.heard_ms
          ? t("connections.heard", { age: duration(nowMs - heardMs) })
          : since(link.up ? source.since_ms + link.clockOffsetMs : link.sinceMs),
      detail: source.detail,
    });
  }
  const engineKnown = link.up && !(state.sources.get("engine")?.stale ?? true);
  for (const connection of view.bot?.connections ?? []) {
    rows.push({
      key: `bot ${connection.name}`,
      label: label(BOT_KEYS, connection.name),
      // What the engine said last is not what is: without the engine its links are unknown.
      state: !engineKnown ? "unknown" : connection.up ? "up" : "down",
      note: since(connection.since_ms + link.clockOffsetMs),
      detail: connection.detail,
    });
  }
  return rows;
}

function label(keys: Record<string, Key>, name: string): string {
  const key = keys[name];
  return key ? t(key) : name;
}

function createRow(): RowElement {
  const label = h("span", { class: "link-label" });
  const state = h("span", { class: "link-state" });
  const note = h("span", { class: "link-note number" });
  const dot = h("span", { class: "dot", "aria-hidden": "true" });
  return { root: h("li", { class: "link" }, dot, label, state, note), label, state, note };
}

function updateRow(element: RowElement, row: LinkRow): void {
  setAttribute(element.root, "data-state", row.state);
  setAttribute(element.root, "data-link", row.key);
  setAttribute(element.root, "title", row.detail || undefined);
  setText(element.label, row.label);
  setText(element.state, t(`connections.${row.state}`));
  setText(element.note, row.note);
}
