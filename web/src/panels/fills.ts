// Executions, newest first.

import { h, KeyedRows, setAttribute, setSign, setText } from "../dom";
import { dayTime, money, NONE, plain, signedMoney, signOf } from "../format";
import { t, tName } from "../i18n";
import type { Fill } from "../protocol";
import type { View } from "../view";
import { createPanel, createTable, type Widget } from "./panel";

interface RowElement {
  root: HTMLElement;
  cells: HTMLElement[];
}

const KINDS = ["", "", "num", "num", "num minor", "num", "num minor"] as const;
const PROFIT_CELL = 5;
const SHOWN = 200;

export function createFills(): Widget<View> {
  const table = createTable("fills", "fills.title", "fills.empty", [
    ["fills.time", ""],
    ["orders.side", ""],
    ["orders.price", "num"],
    ["orders.size", "num"],
    ["orders.slot", "num minor"],
    ["fills.profit", "num"],
    ["fills.fee", "num minor"],
  ]);
  const panel = createPanel("fills", "fills.title", table.root);
  const count = h("span", { class: "count number" });
  panel.aside.append(count);
  const nowMs = (): number => Date.now();
  const rows = new KeyedRows<Fill, RowElement>(
    table.body,
    (fill) => fill.id,
    () => {
      const cells = KINDS.map((kind) => h("td", { class: kind }));
      return { root: h("tr", {}, ...cells), cells };
    },
    (element, fill) => updateRow(element, fill, nowMs()),
  );

  return {
    root: panel.root,
    relabel() {
      panel.relabel();
      table.relabel();
    },
    render(view) {
      panel.setFreshness(view.fresh.bot);
      const fills = view.bot?.fills.slice(-SHOWN).reverse() ?? [];
      table.setEmpty(fills.length === 0);
      setText(count, view.bot ? String(view.bot.pnl.fills) : "");
      rows.render(fills);
    },
  };
}

function updateRow(element: RowElement, fill: Fill, nowMs: number): void {
  const texts = [
    dayTime(fill.time_ms, nowMs),
    tName("side", fill.side),
    plain(fill.price),
    plain(fill.size),
    fill.slot === null ? NONE : String(fill.slot),
    fill.grid_profit === null ? NONE : signedMoney(fill.grid_profit, 4),
    fill.maker ? money(fill.fee, 5) : `${money(fill.fee, 5)} ${t("fills.taker")}`,
  ];
  element.cells.forEach((cell, index) => setText(cell, texts[index] ?? ""));
  setSign(element.cells[PROFIT_CELL] as HTMLElement, signOf(fill.grid_profit));
  setAttribute(element.root, "data-fill", fill.id);
  setAttribute(element.root, "data-side", fill.side);
  setAttribute(element.root, "title", `${fill.order} · ${fill.origin}`);
}
