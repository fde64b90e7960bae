// Orders: the open ones nearest to the price first, the ended ones newest first; searchable, and each can say why it
// exists.

import { h, KeyedRows, setAttribute, setHidden, setText } from "../dom";
import { dayTime, duration, isZero, NONE, plain } from "../format";
import { t, tName } from "../i18n";
import type { Past } from "../past";
import type { Order } from "../protocol";
import type { View } from "../view";
import { createPanel, createTable, type Widget } from "./panel";
import { createSearch } from "./search";

interface RowElement {
  root: HTMLElement;
  cells: HTMLElement[];
  why: HTMLButtonElement;
}

export interface OrdersInput {
  view: View;
  /** The venue's time now, Unix ms: ages are measured on the venue's clock. */
  venueNowMs: number;
}

export interface WhyActions {
  why(orderId: string): void;
  redraw(): void;
}

const KINDS = ["", "num", "num", "num minor", "", "num minor", "minor", "num"] as const;

const REFRESH_MS = 3_000;

export function createOrders(past: Past, actions: WhyActions): Widget<OrdersInput> {
  const table = createTable("orders", "orders.title", "orders.empty", [
    ["orders.side", ""],
    ["orders.price", "num"],
    ["orders.size", "num"],
    ["orders.filled", "num minor"],
    ["orders.state", ""],
    ["orders.slot", "num minor"],
    ["orders.rule", "minor"],
    ["orders.age", "num"],
    ["orders.why", ""],
  ]);
  const panel = createPanel("orders", "orders.title", table.root);
  const search = createSearch("orders", "search.orders", actions.redraw);
  const count = h("span", { class: "count number" });
  const open = h("button", { type: "button", class: "segment", id: "orders-open" });
  const ended = h("button", { type: "button", class: "segment", id: "orders-ended" });
  const which = h("div", { class: "segments", role: "group" }, open, ended);
  const older = h("button", { type: "button", class: "button button-small", id: "orders-older" });
  const problem = h("p", { class: "problem", role: "alert" });
  table.root.append(h("div", { class: "table-foot" }, older, problem));
  panel.aside.append(which, search.root, count);
  let venueNowMs = 0;
  let showsEnded = false;
  let refreshedAtMs = Number.NEGATIVE_INFINITY;
  let view: View | null = null;
  const choose = (next: boolean): void => {
    showsEnded = next;
    refreshedAtMs = Number.NEGATIVE_INFINITY;
    actions.redraw();
  };
  open.addEventListener("click", () => choose(false));
  ended.addEventListener("click", () => choose(true));
  older.addEventListener("click", () => {
    if (view?.bot) void past.loadOrders(view.bot.id);
  });
  const refresh = (botId: string): void => {
    if (performance.now() - refreshedAtMs < REFRESH_MS) return;
    refreshedAtMs = performance.now();
    void past.refreshOrders(botId);
  };
  const rows = new KeyedRows<Order, RowElement>(
    table.body,
    (order) => order.id,
    (order) => {
      const cells = KINDS.map((kind) => h("td", { class: kind }));
      const why = whyButton(() => actions.why(order.id));
      return { root: h("tr", {}, ...cells, h("td", {}, why)), cells, why };
    },
    (element, order) => updateRow(element, order, venueNowMs),
  );

  return {
    root: panel.root,
    relabel() {
      panel.relabel();
      table.relabel();
      search.relabel();
      setText(open, t("orders.open"));
      setText(ended, t("orders.ended"));
      setText(older, t("orders.older"));
      setAttribute(which, "aria-label", t("orders.which"));
    },
    render(input) {
      venueNowMs = input.venueNowMs;
      view = input.view;
      const botId = view.bot?.id ?? null;
      const isPast = showsEnded && botId !== null;
      setHidden(which, botId === null);
      setAttribute(open, "aria-pressed", isPast ? "false" : "true");
      setAttribute(ended, "aria-pressed", isPast ? "true" : "false");
      panel.setFreshness(isPast ? view.fresh.bot : view.fresh.orders, !isPast && view.fromVenue && view.orders.length > 0);
      if (isPast && !view.fresh.bot.stale) refresh(botId);
      const all = isPast ? past.endedOrdersOf(botId) : nearestFirst(view);
      const orders = all.filter((order) => search.matches(textsOf(order, venueNowMs).join(" ") + order.id));
      table.setEmpty(orders.length === 0, search.isActive ? "search.none" : isPast ? "orders.noneEnded" : undefined);
      setText(count, search.isActive ? `${orders.length} / ${all.length}` : String(all.length));
      rows.render(orders);
      const state = isPast ? past.orderState(botId) : null;
      setHidden(older, state === null || state.isComplete || all.length === 0);
      older.disabled = state?.isLoading ?? false;
      setText(problem, state?.problem ?? "");
    },
  };
}

function nearestFirst(view: View): Order[] {
  const price = Number(view.lastPrice ?? 0);
  const distance = (order: Order): number => Math.abs(Number(order.price) - price);
  return [...view.orders].sort((a, b) => distance(a) - distance(b) || a.id.localeCompare(b.id));
}

const ENDED = new Set(["FILLED", "CANCELED", "REJECTED", "EXPIRED"]);

function whenText(order: Order, venueNowMs: number): string {
  if (ENDED.has(order.state)) return dayTime(order.updated_ms, venueNowMs);
  return order.created_ms ? duration(Math.max(0, venueNowMs - order.created_ms)) : NONE;
}

export function whyButton(onClick: () => void): HTMLButtonElement {
  const button = h("button", { type: "button", class: "button button-small" });
  button.addEventListener("click", onClick);
  return button;
}

function textsOf(order: Order, venueNowMs: number): string[] {
  return [
    tName("side", order.side),
    plain(order.price),
    plain(order.size),
    isZero(order.filled) ? NONE : plain(order.filled),
    tName("orderState", order.state),
    order.slot === null ? NONE : String(order.slot),
    order.foreign ? t("orders.foreign") : order.rule ? tName("rule", order.rule) : NONE,
    whenText(order, venueNowMs),
  ];
}

function updateRow(element: RowElement, order: Order, venueNowMs: number): void {
  const texts = textsOf(order, venueNowMs);
  element.cells.forEach((cell, index) => setText(cell, texts[index] ?? ""));
  setText(element.why, t("orders.why"));
  setAttribute(element.why, "aria-label", t("why.ofOrder", { side: texts[0] ?? "", price: texts[1] ?? "" }));
  element.why.hidden = order.foreign;
  setAttribute(element.root, "data-order", order.id);
  setAttribute(element.root, "data-side", order.side);
  setAttribute(element.root, "data-order-state", order.state);
  setAttribute(element.root, "title", [order.id, order.reason].filter(Boolean).join(" · "));
}
