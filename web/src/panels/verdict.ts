// One glance: does it make money, is it safe, what will it do next.

import { h, setAttribute, setSign, setText } from "../dom";
import { money, percent, plain, price, signedMoney, signOf } from "../format";
import { language, t, tName } from "../i18n";
import type { DayPnl, Order, RiskLimit } from "../protocol";
import { type Concern, concerns, distanceText, type Level, limitShare, liquidationDistance, nextOrders, safetyLevel } from "../verdict";
import type { View } from "../view";
import type { Widget } from "./panel";

export interface VerdictInput {
  view: View;
  today: DayPnl | null;
}

interface Cell {
  root: HTMLElement;
  label: HTMLElement;
  head: HTMLElement;
  lines: HTMLElement;
}

const SHOWN_CONCERNS = 2;

export function createVerdict(): Widget<VerdictInput> {
  const money = createCell("money");
  const safety = createCell("safety");
  const next = createCell("next");
  const root = h("div", { class: "verdict" }, money.root, safety.root, next.root);
  return {
    root,
    relabel() {
      setText(money.label, t("verdict.money"));
      setText(safety.label, t("verdict.safety"));
      setText(next.label, t("verdict.next"));
    },
    render({ view, today }) {
      for (const cell of [money, safety, next]) setAttribute(cell.root, "data-stale", view.fresh.bot.stale);
      renderMoney(money, view, today);
      renderSafety(safety, view);
      renderNext(next, view);
    },
  };
}

function renderMoney(cell: Cell, view: View, today: DayPnl | null): void {
  const pnl = view.bot?.pnl;
  const change = today?.equity_change ?? pnl?.equity_change;
  const sign = signOf(change);
  const word = sign > 0 ? t("verdict.making") : sign < 0 ? t("verdict.losing") : t("verdict.even");
  setText(cell.head, pnl ? `${word} ${sign === 0 ? "" : signedMoney(change)} ${sign === 0 ? "" : pnl.asset}`.trim() : t("verdict.unknown"));
  setSign(cell.head, sign);
  setAttribute(cell.root, "data-level", pnl ? (sign < 0 ? "bad" : "good") : "unknown");
  const start = pnl ? Number(pnl.equity) - Number(pnl.equity_change) : 0;
  const lines = [];
  if (pnl) {
    const total = { amount: signedMoney(pnl.equity_change), percent: signedPercent(Number(pnl.equity_change), start) };
    lines.push(today ? t("verdict.todayAndTotal", total) : t("verdict.total", total));
    lines.push(t("verdict.grid", { amount: signedMoney(pnl.grid_profit), n: pnl.cycles, equity: money(pnl.equity), asset: pnl.asset }));
  }
  setLines(cell, lines);
}

function renderSafety(cell: Cell, view: View): void {
  const found = concerns(view);
  const level = safetyLevel(view, found);
  setAttribute(cell.root, "data-level", level);
  setText(cell.head, t(`verdict.level.${level}`));
  setSign(cell.head, 0);
  if (found.length > 0) {
    const lines = found.slice(0, SHOWN_CONCERNS).map((concern) => concernText(concern, view));
    if (found.length > SHOWN_CONCERNS) lines[SHOWN_CONCERNS - 1] += ` ${t("verdict.more", { n: found.length - SHOWN_CONCERNS })}`;
    setLines(cell, lines);
    return;
  }
  const distance = liquidationDistance(view);
  setLines(cell, [
    distance === null ? t("verdict.noLiquidation") : t("verdict.liquidationAway", { percent: percent(distance, 1, 1) }),
    nearestLimit(view.bot?.limits ?? []),
  ]);
}

function renderNext(cell: Cell, view: View): void {
  const state = view.bot?.state.name ?? "";
  const { buy, sell } = nextOrders(view);
  const level: Level = !view.bot ? "unknown" : state === "ACTIVE" ? "good" : state === "REDUCING" ? "warning" : "bad";
  setAttribute(cell.root, "data-level", level);
  const line = (order: Order): string =>
    t(order.side === "BUY" ? "verdict.buysAt" : "verdict.sellsAt", {
      size: plain(order.size),
      price: price(order.price, view.priceDecimals),
      distance: distanceText(view, order),
    });
  const head = !view.bot
    ? t("verdict.unknown")
    : state === "ACTIVE"
      ? t("verdict.trades")
      : state === "REDUCING"
        ? t("verdict.reduces")
        : t("verdict.waits");
  setText(cell.head, head);
  setSign(cell.head, 0);
  const lines = [buy, sell].filter((order): order is Order => order !== null).map(line);
  setLines(cell, lines.length > 0 ? lines : [t("verdict.nothing")]);
}

function concernText(concern: Concern, view: View): string {
  if (concern.key === "state") {
    const reason = view.bot?.state.reasons[0];
    const title = (language() === "zh" ? reason?.title_zh : reason?.title) || reason?.message || "";
    return t("concern.state", { state: tName("state", String(concern.values["state"])), reason: title });
  }
  if (concern.key === "limit") return t("concern.limit", { ...concern.values, name: limitTitle(concern.values["name"], view) });
  return t(`concern.${concern.key}`, concern.values);
}

function limitTitle(name: string | number | undefined, view: View): string {
  const limit = view.bot?.limits.find((one) => one.name === name);
  return limit ? titleOf(limit) : String(name);
}

/** A limit's name for people: ours, else the words of the reason it gives. */
export function titleOf(limit: RiskLimit): string {
  const own = tName("limit", limit.name);
  return own !== limit.name ? own : (language() === "zh" ? limit.title_zh : limit.title) || limit.name;
}

function nearestLimit(limits: readonly RiskLimit[]): string {
  let worst: RiskLimit | null = null;
  let share = -1;
  for (const limit of limits) {
    const used = limitShare(limit);
    if (used > share) [worst, share] = [limit, used];
  }
  if (!worst) return t("verdict.noLimits");
  return t("verdict.nearestLimit", { name: titleOf(worst), percent: percent(share, 1, 0) });
}

function signedPercent(part: number, whole: number): string {
  const text = percent(part, whole);
  return part > 0 ? `+${text}` : text;
}

function createCell(name: string): Cell {
  const label = h("div", { class: "verdict-label" });
  const head = h("div", { class: "verdict-head number", "data-verdict": name });
  const lines = h("ul", { class: "verdict-lines number" });
  return { root: h("section", { class: "verdict-cell", id: `verdict-${name}` }, label, head, lines), label, head, lines };
}

function setLines(cell: Cell, lines: readonly string[]): void {
  if (cell.lines.children.length !== lines.length) cell.lines.replaceChildren(...lines.map(() => h("li")));
  lines.forEach((line, index) => setText(cell.lines.children[index] as HTMLElement, line));
}
