// Where the money came from, today and in all: the parts and their exact sum.

import { h, setAttribute, setHidden, setSign, setText } from "../dom";
import { isZero, money, NONE, percent, signedMoney, signOf } from "../format";
import { type Key, t } from "../i18n";
import type { DayPnl, Pnl } from "../protocol";
import type { View } from "../view";
import { createFacts, createPanel, type Widget } from "./panel";

type PartName = "grid_profit" | "inventory_pnl" | "fees" | "funding" | "transfers" | "equity_change" | "unexplained";

const PARTS: readonly (readonly [PartName, Key])[] = [
  ["grid_profit", "pnl.grid"],
  ["inventory_pnl", "pnl.inventory"],
  ["fees", "pnl.fees"],
  ["funding", "pnl.funding"],
  ["transfers", "pnl.transfers"],
  ["equity_change", "pnl.change"],
  ["unexplained", "pnl.unexplained"],
];
const SUM: PartName = "equity_change";
const PLACES = 4;

interface PartRow {
  root: HTMLElement;
  label: HTMLElement;
  today: HTMLElement;
  value: HTMLElement;
  bar: HTMLElement;
}

export interface PnlInput {
  view: View;
  today: DayPnl | null;
}

export function createPnl(): Widget<PnlInput> {
  const rows = new Map<PartName, PartRow>();
  const list = h("dl", { class: "parts" });
  for (const [name] of PARTS) {
    const label = h("dt");
    const value = h("span", { class: "number", "data-pnl": name });
    const bar = h("span", { class: "bar" });
    const today = h("span", { class: "number", "data-today": name });
    const track = h("span", { class: "bar-track", "aria-hidden": "true" }, bar);
    const root = h("div", { class: name === SUM ? "part part-sum" : "part" }, label, h("dd", {}, track, today, value));
    rows.set(name, { root, label, today, value, bar });
    list.append(root);
  }
  const warning = h("p", { class: "hint", hidden: true });
  const heads = h("p", { class: "part part-head", "aria-hidden": "true" });
  const todayHead = h("span");
  const totalHead = h("span");
  const percentRow = h("p", { class: "part hint number" });
  const percentLabel = h("span");
  const percentToday = h("span", { "data-today-percent": "" });
  const percentTotal = h("span", { "data-pnl-percent": "" });
  heads.append(h("span"), todayHead, totalHead);
  percentRow.append(percentLabel, percentToday, percentTotal);
  const facts = createFacts(["pnl.turnover", "pnl.fills", "pnl.maker", "pnl.cycles", "pnl.ordersPlaced", "pnl.fillRatio"]);
  facts.root.classList.add("facts-columns");
  const panel = createPanel("pnl", "pnl.title", heads, list, percentRow, warning, facts.root);

  return {
    root: panel.root,
    relabel() {
      panel.relabel();
      facts.relabel();
      setText(warning, t("pnl.incomplete"));
      setText(todayHead, t("pnl.today"));
      setText(totalHead, t("pnl.total"));
      setText(percentLabel, t("pnl.percent"));
      for (const [name, key] of PARTS) setText((rows.get(name) as PartRow).label, t(key));
      setAttribute((rows.get("unexplained") as PartRow).root, "title", t("pnl.unexplainedHint"));
    },
    render({ view, today }) {
      const pnl = view.bot?.pnl;
      panel.setFreshness(view.fresh.bot);
      setHidden(warning, pnl?.history_complete ?? true);
      const largest = pnl ? Math.max(...PARTS.map(([name]) => Math.abs(Number(pnl[name])))) : 0;
      for (const [name] of PARTS) renderPart(rows.get(name) as PartRow, name, pnl, today, largest);
      renderPercent(pnl, today);
      const has = pnl !== undefined;
      facts.set("pnl.turnover", has ? `${money(pnl.turnover, 2)} ${pnl.asset}` : NONE);
      facts.set("pnl.fills", has ? String(pnl.fills) : NONE);
      facts.set("pnl.maker", has ? percent(pnl.maker_fills, pnl.fills, 1) : NONE);
      facts.set("pnl.cycles", has ? String(pnl.cycles) : NONE);
      facts.set("pnl.ordersPlaced", has ? String(pnl.orders_placed) : NONE);
      facts.set("pnl.fillRatio", has ? percent(pnl.fills, pnl.orders_placed, 1) : NONE);
    },
  };

  function renderPercent(pnl: Pnl | undefined, today: DayPnl | null): void {
    setText(percentTotal, pnl ? percent(Number(pnl.equity_change), Number(pnl.equity) - Number(pnl.equity_change)) : NONE);
    const change = Number(today?.equity_change ?? Number.NaN);
    setText(percentToday, pnl && today ? percent(change, Number(pnl.equity) - change) : NONE);
  }
}

function renderPart(row: PartRow, name: PartName, pnl: Pnl | undefined, today: DayPnl | null, largest: number): void {
  const text = pnl?.[name];
  const sign = signOf(text);
  setText(row.value, signedMoney(text, PLACES));
  setSign(row.value, sign);
  // The whole number, digit for digit: what is shown is rounded.
  setAttribute(row.value, "data-exact", text);
  setAttribute(row.value, "title", text);
  const ofToday = name === "unexplained" ? undefined : today?.[name];
  setText(row.today, name === "unexplained" ? "" : signedMoney(ofToday, PLACES));
  setSign(row.today, signOf(ofToday));
  setAttribute(row.today, "data-exact", ofToday);
  setAttribute(row.today, "title", ofToday);
  setSign(row.bar, sign);
  // Widths are set by script on the element, which the content policy allows; attributes in markup it would not.
  const share = text === undefined || largest === 0 ? 0 : Math.abs(Number(text)) / largest;
  const width = `${(share * 50).toFixed(1)}%`;
  if (row.bar.style.width !== width) row.bar.style.width = width;
  setAttribute(row.root, "data-warning", name === "unexplained" && text !== undefined && !isZero(text));
  const isExtra = name === "transfers" || name === "unexplained";
  setHidden(row.root, name === "transfers" && isExtra && (text === undefined || isZero(text)));
}
