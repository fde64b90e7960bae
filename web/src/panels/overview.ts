// All bots and symbols in one list: how each does, and the way to its own screen.

import { h, KeyedRows, setAttribute, setSign, setText } from "../dom";
import { NONE, percent, plain, price, signedMoney, signOf } from "../format";
import { t, tName } from "../i18n";
import type { DayPnl } from "../protocol";
import { concerns, safetyLevel } from "../verdict";
import type { View } from "../view";
import { createPanel, createTable, type Widget } from "./panel";

export interface OverviewInput {
  views: readonly View[];
  today(view: View): DayPnl | null;
}

interface RowElement {
  root: HTMLElement;
  link: HTMLAnchorElement;
  cells: HTMLElement[];
}

const KINDS = ["", "", "num", "num", "num", "num minor", "num minor", "num minor"] as const;
const SIGNED = { change: 3, today: 2, grid: 4 } as const;

export function createOverview(select: (key: string) => void): Widget<OverviewInput> {
  const table = createTable("overview", "overview.title", "app.noBots", [
    ["bot.select", ""],
    ["overview.state", ""],
    ["overview.safety", ""],
    ["overview.today", "num"],
    ["overview.total", "num"],
    ["kpi.grid", "num"],
    ["kpi.position", "num minor"],
    ["kpi.last", "num minor"],
    ["kpi.fills", "num minor"],
  ]);
  const panel = createPanel("overview", "overview.title", table.root);
  let today: OverviewInput["today"] = () => null;
  const rows = new KeyedRows<View, RowElement>(
    table.body,
    (view) => view.key,
    (view) => {
      const link = h("a", { href: `#${encodeURIComponent(view.key)}` });
      link.addEventListener("click", (event) => {
        event.preventDefault();
        select(view.key);
      });
      const cells = KINDS.map((kind) => h("td", { class: kind }));
      return { root: h("tr", {}, h("th", { scope: "row" }, link), ...cells), link, cells };
    },
    (row, view) => updateRow(row, view, today(view)),
  );
  return {
    root: panel.root,
    relabel() {
      panel.relabel();
      table.relabel();
    },
    render(input) {
      today = input.today;
      table.setEmpty(input.views.length === 0);
      rows.render(input.views);
    },
  };
}

function updateRow(row: RowElement, view: View, today: DayPnl | null): void {
  const { bot } = view;
  const pnl = bot?.pnl;
  const start = pnl ? Number(pnl.equity) - Number(pnl.equity_change) : 0;
  const share = pnl ? ` (${percent(Number(pnl.equity_change), start)})` : "";
  const level = safetyLevel(view, concerns(view));
  const texts = [
    bot ? `${tName("state", bot.state.name)} · ${bot.exchange} ${tName("mode", bot.mode)}` : t("state.none"),
    t(`verdict.level.${level}`),
    today ? signedMoney(today.equity_change) : NONE,
    pnl ? `${signedMoney(pnl.equity_change)}${share}` : NONE,
    signedMoney(pnl?.grid_profit),
    plain(view.position?.size),
    price(view.lastPrice, view.priceDecimals),
    pnl ? String(pnl.fills) : NONE,
  ];
  setText(row.link, view.label);
  row.cells.forEach((cell, index) => setText(cell, texts[index] ?? ""));
  setSign(row.cells[SIGNED.today] as HTMLElement, signOf(today?.equity_change));
  setSign(row.cells[SIGNED.change] as HTMLElement, signOf(pnl?.equity_change));
  setSign(row.cells[SIGNED.grid] as HTMLElement, signOf(pnl?.grid_profit));
  setAttribute(row.root, "data-bot", view.key);
  setAttribute(row.root, "data-level", level);
  setAttribute(row.root, "data-stale", view.fresh.bot.stale);
}
