// The grid as a ladder: one row per level, price falling from top to bottom, a line where the market is.

import { h, KeyedRows, setAttribute, setHidden, setSign, setText } from "../dom";
import { isZero, NONE, plain, price as priceText, shortDuration, signedMoney, signOf } from "../format";
import { t, tName } from "../i18n";
import type { Order, Slot } from "../protocol";
import type { View } from "../view";
import { createPanel, createTable, type Widget } from "./panel";

interface PriceRow {
  kind: "price";
  price: string;
}

interface SlotRow {
  kind: "slot";
  slot: Slot;
  order: Order | undefined;
  coolingDown: boolean;
  priceDecimals: number | null;
  nowMs: number;
}

type LadderRow = PriceRow | SlotRow;

interface RowElement {
  root: HTMLElement;
  cells: HTMLElement[];
}

export interface LadderInput {
  view: View;
  nowMs: number;
}

const COLUMNS = 8;
const CELL_KINDS = ["num", "num minor", "num", "", "num minor", "num minor", "num"] as const;

export function createLadder(): Widget<LadderInput> {
  const facts = h("p", { class: "panel-facts" });
  const table = createTable("ladder", "ladder.title", "ladder.empty", [
    ["ladder.level", "num"],
    ["ladder.lot", "num"],
    ["ladder.cost", "num minor"],
    ["ladder.takeProfit", "num"],
    ["ladder.order", ""],
    ["orders.age", "num minor"],
    ["ladder.cycles", "num minor"],
    ["ladder.profit", "num"],
  ]);
  const panel = createPanel("ladder", "ladder.title", facts, table.root);
  const rows = new KeyedRows<LadderRow, RowElement>(table.body, keyOf, createRow, updateRow);
  const follow = followPrice(table.root);

  return {
    root: panel.root,
    relabel() {
      panel.relabel();
      table.relabel();
    },
    render({ view, nowMs }) {
      const { bot } = view;
      panel.setFreshness(view.fresh.bot);
      const slots = [...(bot?.slots.values() ?? [])];
      table.setEmpty(slots.length === 0);
      setHidden(facts, !bot);
      if (bot) setText(facts, gridFacts(view));
      rows.render(ladderRows(slots, view, nowMs));
      follow(rows.get("price")?.root);
    },
  };
}

function gridFacts(view: View): string {
  const { bot } = view;
  if (!bot) return "";
  const grid = bot.grid;
  const interval = grid.spacing === "geometric" ? `${grid.ratio_ppb / 1e7}%` : plain(grid.interval);
  return t("ladder.facts", {
    spacing: tName("spacing", grid.spacing),
    direction: tName("direction", grid.direction),
    interval,
    quantity: plain(grid.order_quantity),
    quote: bot.instrument.quote,
    buys: grid.buy_window,
    sells: grid.sell_window,
  });
}

function ladderRows(slots: Slot[], view: View, nowMs: number): LadderRow[] {
  const bySlot = new Map<number, Order>();
  for (const order of view.orders) if (order.slot !== null) bySlot.set(order.slot, order);
  const price = Number(view.lastPrice ?? Number.NaN);
  const priceRow: PriceRow = { kind: "price", price: priceText(view.lastPrice, view.priceDecimals) };
  const sorted = slots.sort((a, b) => Number(b.level) - Number(a.level));
  const result: LadderRow[] = [];
  let placed = false;
  for (const slot of sorted) {
    if (!placed && Number(slot.level) < price) {
      result.push(priceRow);
      placed = true;
    }
    const coolingDown = slot.cooldown_until_ms > nowMs;
    result.push({ kind: "slot", slot, order: bySlot.get(slot.k), coolingDown, priceDecimals: view.priceDecimals, nowMs });
  }
  if (!placed && sorted.length > 0 && Number.isFinite(price)) result.push(priceRow);
  return result;
}

function keyOf(row: LadderRow): string {
  return row.kind === "price" ? "price" : `slot ${row.slot.k}`;
}

function createRow(row: LadderRow): RowElement {
  if (row.kind === "price") {
    const cell = h("td", { colspan: COLUMNS });
    return { root: h("tr", { class: "price-row" }, cell), cells: [cell] };
  }
  const level = h("th", { scope: "row", class: "num" });
  const rest = Array.from({ length: COLUMNS - 1 }, (_, index) => h("td", { class: CELL_KINDS[index] ?? "" }));
  return { root: h("tr", { "data-slot": row.slot.k }, level, ...rest), cells: [level, ...rest] };
}

function updateRow(element: RowElement, row: LadderRow): void {
  if (row.kind === "price") {
    setText(element.cells[0] as HTMLElement, t("ladder.price", { price: row.price }));
    return;
  }
  const { slot, order } = row;
  const [level, lot, cost, takeProfit, working, age, cycles, profit] = element.cells as [
    HTMLElement,
    HTMLElement,
    HTMLElement,
    HTMLElement,
    HTMLElement,
    HTMLElement,
    HTMLElement,
    HTMLElement,
  ];
  const held = !isZero(slot.held);
  setAttribute(element.root, "data-held", held);
  setAttribute(element.root, "data-side", order?.side);
  setText(level, plain(slot.level));
  setText(lot, held ? plain(slot.held) : NONE);
  setText(cost, held ? priceText(slot.average_price, row.priceDecimals) : NONE);
  setText(age, order?.created_ms ? shortDuration(Math.max(0, row.nowMs - order.created_ms)) : NONE);
  setText(takeProfit, held ? plain(slot.take_profit) : NONE);
  setText(working, order ? orderText(slot, order) : row.coolingDown ? t("ladder.cooldown") : NONE);
  setAttribute(working, "data-order-side", order?.side);
  setAttribute(working, "data-order-state", order?.state);
  setAttribute(working, "title", order ? `${tName("orderState", order.state)} · ${order.id}` : undefined);
  setText(cycles, slot.cycles ? String(slot.cycles) : NONE);
  setText(profit, isZero(slot.profit) ? NONE : signedMoney(slot.profit));
  setSign(profit, signOf(slot.profit));
}

function orderText(slot: Slot, order: Order): string {
  const expected = order.side === "BUY" ? slot.level : slot.take_profit;
  const base = `${tName("side", order.side)} ${plain(order.size)}${order.price === expected ? "" : ` @ ${plain(order.price)}`}`;
  return order.state === "LIVE" ? base : `${base} · ${tName("orderState", order.state)}`;
}

/** Keep the price in the middle of the ladder until the reader scrolls it, and again when they have left it alone. */
function followPrice(scroller: HTMLElement): (priceRow: HTMLElement | undefined) => void {
  const PATIENCE_MS = 15_000;
  let touchedAtMs = Number.NEGATIVE_INFINITY;
  const touch = (): void => {
    touchedAtMs = performance.now();
  };
  for (const event of ["wheel", "touchmove", "keydown", "pointerdown"] as const) {
    scroller.addEventListener(event, touch, { passive: true });
  }
  return (priceRow) => {
    if (!priceRow || performance.now() - touchedAtMs < PATIENCE_MS) return;
    const wanted = priceRow.offsetTop - (scroller.clientHeight - priceRow.offsetHeight) / 2;
    if (Math.abs(scroller.scrollTop - wanted) > priceRow.offsetHeight * 2) scroller.scrollTop = wanted;
  };
}
