// One bot or symbol on the screen: every panel about it.

import { h, setHidden } from "../dom";
import type { Link } from "../freshness";
import type { Ledger } from "../ledger";
import { createAccount } from "../panels/account";
import { createChartPanel } from "../panels/chart-panel";
import { createConnections } from "../panels/connections";
import { type ControlsActions, createControls } from "../panels/controls";
import { createFills } from "../panels/fills";
import { createJournal } from "../panels/journal";
import { createLadder } from "../panels/ladder";
import { createMoneyHistory } from "../panels/money-history";
import { createOrders } from "../panels/orders";
import type { Widget } from "../panels/panel";
import { createPnl } from "../panels/pnl";
import { createPosition } from "../panels/position";
import { createRates } from "../panels/rates";
import { createSafety } from "../panels/safety";
import { createSummary } from "../panels/summary";
import { createVerdict } from "../panels/verdict";
import { showWhy } from "../panels/why";
import type { Past } from "../past";
import type { Session } from "../session";
import type { Change, State } from "../store";
import type { View } from "../view";

export interface DetailInput {
  view: View | null;
  state: State;
  link: Link;
  changes: readonly Change[];
  session: Session | null;
  nowMs: number;
}

export interface Detail extends Widget<DetailInput> {
  applyColors(): void;
}

export function createDetail(past: Past, ledger: Ledger, actions: ControlsActions & { redraw(): void }): Detail {
  let botId: string | null = null;
  const why = {
    why(orderId: string): void {
      if (botId !== null) void showWhy(botId, orderId);
    },
    redraw: actions.redraw,
  };
  const verdict = createVerdict();
  const summary = createSummary();
  const chart = createChartPanel(past, actions.redraw);
  const ladder = createLadder();
  const pnl = createPnl();
  const history = createMoneyHistory();
  const safety = createSafety();
  const position = createPosition();
  const account = createAccount();
  const rates = createRates();
  const controls = createControls(actions);
  const orders = createOrders(past, why);
  const fills = createFills(past, why);
  const journal = createJournal(past, actions.redraw);
  const connections = createConnections();
  const panels = [chart, ladder, pnl, history, safety, position, account, rates, controls, orders, fills, journal, connections];
  const widgets: { relabel(): void }[] = [verdict, summary, ...panels];
  const stack = (...inside: { root: HTMLElement }[]): HTMLElement => h("div", { class: "stack" }, ...inside.map((panel) => panel.root));
  const grid = h(
    "div",
    { class: "grid" },
    chart.root,
    ladder.root,
    stack(pnl, position, account),
    stack(history, controls, connections),
    stack(safety, rates),
    orders.root,
    fills.root,
    journal.root,
  );
  const root = h("div", {}, verdict.root, summary.root, grid);

  return {
    root,
    relabel() {
      for (const widget of widgets) widget.relabel();
    },
    render({ view, state, link, changes, session, nowMs }) {
      setHidden(root, view === null);
      if (view === null) return;
      botId = view.bot?.id ?? null;
      const { bot } = view;
      const venueNowMs = state.market.prices.get(view.symbol)?.time_ms ?? nowMs;
      const today = bot ? ledger.todayOf(bot) : null;
      const known = bot ? past.fillsOf(bot.id, bot.fills) : [];
      if (bot && link.up) void ledger.refresh(bot, nowMs);
      verdict.render({ view, today });
      summary.render({ view, nowMs: venueNowMs, today });
      chart.render({ view, state, changes, fills: known });
      ladder.render({ view, nowMs: venueNowMs });
      pnl.render({ view, today });
      history.render({
        view,
        equity: bot ? ledger.pointsOf(bot, nowMs) : [],
        days: bot ? ledger.daysOf(bot) : [],
        problem: bot ? ledger.problemOf(bot.id) : "",
      });
      safety.render({ view, state });
      position.render(view);
      account.render(view);
      rates.render({ view, state });
      controls.render({ view, session });
      orders.render({ view, venueNowMs });
      fills.render({ view, fills: known });
      journal.render(view);
      connections.render({ view, state, link });
    },
    applyColors() {
      chart.applyColors();
      history.applyColors();
    },
  };
}
