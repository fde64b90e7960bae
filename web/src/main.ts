// The page, put together: messages change the store, and at most ten times a second the panels draw what it holds.

import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/layout.css";
import "./styles/panels.css";

import { Connection, socketUrl } from "./connection";
import { h, setHidden } from "./dom";
import { price } from "./format";
import type { Link } from "./freshness";
import { type Language, language, preferredLanguage, setLanguage, t } from "./i18n";
import { createAccount } from "./panels/account";
import { createChartPanel } from "./panels/chart-panel";
import { createConnections } from "./panels/connections";
import { createControls } from "./panels/controls";
import { askToken } from "./panels/dialogs";
import { createFills } from "./panels/fills";
import { createHeader, createReasons } from "./panels/header";
import { createJournal } from "./panels/journal";
import { createLadder } from "./panels/ladder";
import { createNotices } from "./panels/notices";
import { createOrders } from "./panels/orders";
import { createPnl } from "./panels/pnl";
import { createPosition } from "./panels/position";
import { createSummary } from "./panels/summary";
import type { ServerMessage } from "./protocol";
import { ApiError, fetchSession, logIn, logOut, type Session } from "./session";
import { applyTheme, read, type Theme, toTheme, write } from "./settings";
import { applyMessage, type Change, emptyState, ProtocolError } from "./store";
import { viewKeys, viewOf } from "./view";

const DRAW_INTERVAL_MS = 100;
const AGE_INTERVAL_MS = 1_000;

const state = emptyState();
const link: Link = { up: false, sinceMs: Date.now(), clockOffsetMs: 0 };
let changes: Change[] = [];
let hasSnapshot = false;
let mustReload = false;
let selected = decodeURIComponent(location.hash.slice(1));
let theme: Theme = toTheme(read("theme"));
let session: Session | null = null;
let drawnAtMs = 0;
let isScheduled = false;

setLanguage(preferredLanguage(read("language"), navigator.languages));
applyTheme(theme);

const header = createHeader({
  selectView(key) {
    selected = key;
    history.replaceState(null, "", `#${encodeURIComponent(key)}`);
    draw();
  },
  selectLanguage(next: Language) {
    setLanguage(next);
    write("language", next);
    relabel();
    draw();
  },
  selectTheme(next) {
    theme = next;
    write("theme", next);
    applyTheme(next);
    chart.applyColors();
    draw();
  },
});
const notices = createNotices();
const reasons = createReasons();
const summary = createSummary();
const chart = createChartPanel();
const ladder = createLadder();
const pnl = createPnl();
const position = createPosition();
const account = createAccount();
const fills = createFills();
const orders = createOrders();
const journal = createJournal();
const connections = createConnections();
const controls = createControls({
  unlock: () => void unlock(),
  lock: () => void lock(),
});
const widgets = [header, notices, reasons, summary, chart, ladder, pnl, position, account, fills, orders, journal, connections, controls];

const skip = h("a", { class: "skip", href: "#content" });
const footer = h("footer", { class: "footer" });
const grid = h(
  "div",
  { class: "grid" },
  chart.root,
  ladder.root,
  pnl.root,
  position.root,
  account.root,
  fills.root,
  orders.root,
  journal.root,
  connections.root,
  controls.root,
);
const main = h("main", { id: "content", tabindex: -1 }, summary.root, grid);
document.getElementById("app")?.append(skip, h("div", { class: "masthead" }, header.root, notices.root, reasons.root), main, footer);

function relabel(): void {
  document.documentElement.lang = language() === "zh" ? "zh-CN" : "en";
  skip.textContent = t("app.skip");
  for (const widget of widgets) widget.relabel();
}

function draw(): void {
  drawnAtMs = performance.now();
  isScheduled = false;
  const taken = changes;
  changes = [];
  const keys = viewKeys(state);
  const key = keys.find((item) => item.key === selected)?.key ?? keys[0]?.key;
  const view = key === undefined ? null : viewOf(state, link, key);
  const nowMs = Date.now() - link.clockOffsetMs;
  notices.render({ state, link, hasSnapshot, hasViews: view !== null, mustReload });
  header.render({ view, keys, theme, nowMs });
  reasons.render(view);
  setHidden(main, view === null);
  footer.textContent = state.serverVersion ? t("footer.version", { version: state.serverVersion }) : "";
  if (view === null) return;
  const venueNowMs = state.market.prices.get(view.symbol)?.time_ms ?? nowMs;
  summary.render({ view, nowMs: venueNowMs });
  chart.render({ view, state, changes: taken });
  ladder.render({ view, nowMs: venueNowMs });
  pnl.render(view);
  position.render(view);
  account.render(view);
  fills.render(view);
  orders.render({ view, venueNowMs });
  journal.render(view);
  connections.render({ view, state, link });
  controls.render({ view, session });
  document.title = `${price(view.lastPrice, view.priceDecimals)} · ${view.label} · OpenSQT`;
}

/** Draw soon: at once when nothing was drawn lately, else when the interval is over. */
function schedule(): void {
  if (isScheduled) return;
  isScheduled = true;
  const waitMs = Math.max(0, drawnAtMs + DRAW_INTERVAL_MS - performance.now());
  window.setTimeout(draw, waitMs);
}

function onMessage(message: ServerMessage): void {
  try {
    const change = applyMessage(state, message);
    if (message.type === "snapshot") changes = [];
    changes.push(change);
  } catch (error) {
    if (error instanceof ProtocolError) {
      mustReload = true;
      schedule();
    }
    throw error;
  }
  hasSnapshot = true;
  link.clockOffsetMs = Date.now() - message.time_ms;
  schedule();
}

const connection = new Connection(socketUrl(), {
  onMessage,
  onUp() {
    link.up = true;
    link.sinceMs = Date.now();
    schedule();
  },
  onDown() {
    link.up = false;
    link.sinceMs = Date.now();
    void refreshSession();
    schedule();
  },
});

async function refreshSession(): Promise<void> {
  try {
    session = await fetchSession();
  } catch (error) {
    // The socket tells about a server that is away; without an answer the last known role stands.
    if (!(error instanceof ApiError)) throw error;
    return;
  }
  schedule();
  if (session.role === "none") await login(t("login.needed"), false);
}

let isAsking = false;

async function login(hint: string, dismissable: boolean): Promise<void> {
  if (isAsking) return;
  isAsking = true;
  const submit = async (token: string): Promise<string | null> => {
    try {
      session = await logIn(token);
      return null;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  };
  const accepted = await askToken(hint, submit, dismissable);
  isAsking = false;
  if (accepted && !dismissable) connection.restart();
  schedule();
}

async function unlock(): Promise<void> {
  await login(t("login.operator"), true);
}

async function lock(): Promise<void> {
  session = await logOut();
  schedule();
}

relabel();
draw();
void refreshSession();
connection.start();
window.setInterval(schedule, AGE_INTERVAL_MS);
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  chart.applyColors();
  schedule();
});
