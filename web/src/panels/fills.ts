// Executions, newest first; searchable into the past, and each can say why its order existed.

import { h, KeyedRows, setAttribute, setHidden, setSign, setText } from "../dom";
import { dayTime, money, NONE, plain, signedMoney, signOf } from "../format";
import { t, tName } from "../i18n";
import type { Past } from "../past";
import type { Fill } from "../protocol";
import type { View } from "../view";
import { type WhyActions, whyButton } from "./orders";
import { createPanel, createTable, type Widget } from "./panel";
import { createSearch } from "./search";

interface RowElement {
  root: HTMLElement;
  cells: HTMLElement[];
  why: HTMLButtonElement;
}

export interface FillsInput {
  view: View;
  fills: readonly Fill[];
}

const KINDS = ["", "", "num", "num", "num minor", "num", "num minor"] as const;
const PROFIT_CELL = 5;
const PAGE = 200;

export function createFills(past: Past, actions: WhyActions): Widget<FillsInput> {
  const table = createTable("fills", "fills.title", "fills.empty", [
    ["fills.time", ""],
    ["orders.side", ""],
    ["orders.price", "num"],
    ["orders.size", "num"],
    ["orders.slot", "num minor"],
    ["fills.profit", "num"],
    ["fills.fee", "num minor"],
    ["orders.why", ""],
  ]);
  const older = h("button", { type: "button", class: "button button-small", id: "fills-older" });
  const problem = h("p", { class: "problem", role: "alert" });
  const panel = createPanel("fills", "fills.title", table.root);
  table.root.append(h("div", { class: "table-foot" }, older, problem));
  const search = createSearch("fills", "search.fills", actions.redraw);
  const count = h("span", { class: "count number" });
  panel.aside.append(search.root, count);
  let view: View | null = null;
  let shown = PAGE;
  older.addEventListener("click", () => {
    if (!view?.bot) return;
    shown += PAGE;
    void past.loadFills(view.bot.id, view.bot.fills);
    actions.redraw();
  });
  const rows = new KeyedRows<Fill, RowElement>(
    table.body,
    (fill) => fill.id,
    (fill) => {
      const cells = KINDS.map((kind) => h("td", { class: kind }));
      const why = whyButton(() => actions.why(fill.order));
      return { root: h("tr", {}, ...cells, h("td", {}, why)), cells, why };
    },
    updateRow,
  );

  return {
    root: panel.root,
    relabel() {
      panel.relabel();
      table.relabel();
      search.relabel();
      setText(older, t("fills.older"));
    },
    render(input) {
      if (view?.key !== input.view.key) shown = PAGE;
      view = input.view;
      panel.setFreshness(view.fresh.bot);
      const wanted = search.isActive ? input.fills.filter((fill) => search.matches(`${textsOf(fill).join(" ")} ${fill.id} ${fill.order}`)) : input.fills;
      const fills = wanted.slice(-shown).reverse();
      table.setEmpty(fills.length === 0, search.isActive ? "search.none" : undefined);
      const total = view.bot ? String(view.bot.pnl.fills) : "";
      setText(count, search.isActive ? `${wanted.length} / ${total}` : total);
      rows.render(fills);
      const past_ = view.bot ? past.fillState(view.bot.id) : null;
      const hasMore = input.fills.length > shown || !(past_?.isComplete ?? true);
      setHidden(older, !view.bot || !hasMore || input.fills.length === 0);
      older.disabled = past_?.isLoading ?? false;
      setText(problem, past_?.problem ?? "");
    },
  };
}

function textsOf(fill: Fill): string[] {
  return [
    dayTime(fill.time_ms, Date.now()),
    tName("side", fill.side),
    plain(fill.price),
    plain(fill.size),
    fill.slot === null ? NONE : String(fill.slot),
    fill.grid_profit === null ? NONE : signedMoney(fill.grid_profit, 4),
    fill.maker ? money(fill.fee, 5) : `${money(fill.fee, 5)} ${t("fills.taker")}`,
  ];
}

function updateRow(element: RowElement, fill: Fill): void {
  const texts = textsOf(fill);
  element.cells.forEach((cell, index) => setText(cell, texts[index] ?? ""));
  setSign(element.cells[PROFIT_CELL] as HTMLElement, signOf(fill.grid_profit));
  setText(element.why, t("orders.why"));
  setAttribute(element.why, "aria-label", t("why.ofFill", { side: texts[1] ?? "", price: texts[2] ?? "", time: texts[0] ?? "" }));
  element.why.hidden = fill.order === "";
  setAttribute(element.root, "data-fill", fill.id);
  setAttribute(element.root, "data-side", fill.side);
  setAttribute(element.root, "title", `${fill.order} · ${fill.origin}`);
}
