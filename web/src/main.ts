// The page, put together: messages change the store, and a moment later the screen draws what it holds.

import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/layout.css";
import "./styles/panels.css";
import "./styles/money.css";

import { Alerts } from "./alerts";
import { ApiError } from "./api";
import { Connection, socketUrl } from "./connection";
import { h, setAttribute, setHidden } from "./dom";
import { price } from "./format";
import type { Link } from "./freshness";
import { language, preferredLanguage, setLanguage, t } from "./i18n";
import { Ledger } from "./ledger";
import { askToken } from "./panels/dialogs";
import { createHeader, createReasons } from "./panels/header";
import { createNotices } from "./panels/notices";
import { createOverview } from "./panels/overview";
import { Past } from "./past";
import type { ServerMessage } from "./protocol";
import { createDetail } from "./screens/detail";
import { fetchSession, logIn, logOut, type Session } from "./session";
import { applyTheme, read, type Theme, toTheme, write } from "./settings";
import { applyMessage, type Change, emptyState, isUrgent, ProtocolError } from "./store";
import { viewKeys, viewOf } from "./view";

/** Between two drawings: prices can wait a little, what a bot did cannot. */
const DRAW_INTERVAL_MS = 100;
const URGENT_INTERVAL_MS = 30;
const AGE_INTERVAL_MS = 1_000;

const state = emptyState();
const link: Link = { up: false, sinceMs: Date.now(), clockOffsetMs: 0 };
let changes: Change[] = [];
let hasSnapshot = false;
let mustReload = false;
/** The screen: a bot or symbol; empty = the list of all, or the only one there is. */
let selected = decodeURIComponent(location.hash.slice(1));
let theme: Theme = toTheme(read("theme"));
let session: Session | null = null;
let drawnAtMs = 0;
let drawTimer: number | undefined;
let isUrgentScheduled = false;

setLanguage(preferredLanguage(read("language"), navigator.languages));
applyTheme(theme);

const past = new Past(() => schedule());
const ledger = new Ledger(() => schedule());
const alerts = new Alerts();

const header = createHeader({
  selectView: select,
  showOverview: () => select(""),
  selectLanguage(next) {
    setLanguage(next);
    write("language", next);
    relabel();
    draw();
  },
  selectTheme(next) {
    theme = next;
    write("theme", next);
    applyTheme(next);
    detail.applyColors();
    draw();
  },
  toggleSound() {
    alerts.toggleSound();
    draw();
  },
  toggleNotify() {
    void alerts.toggleNotify().then((refused) => {
      if (refused !== null) notices.say(refused);
      draw();
    });
  },
});
const notices = createNotices();
const reasons = createReasons();
const overview = createOverview(select);
const detail = createDetail(past, ledger, { unlock: () => void unlock(), lock: () => void lock(), redraw: () => schedule() });
const widgets = [header, notices, reasons, overview, detail];

const skip = h("a", { class: "skip", href: "#content" });
const footer = h("footer", { class: "footer" });
const main = h("main", { id: "content", tabindex: -1 }, h("div", { class: "grid" }, overview.root), detail.root);
document.getElementById("app")?.append(skip, h("div", { class: "masthead" }, header.root, notices.root, reasons.root), main, footer);
// The skip link must not change the screen that the address names.
skip.addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});

function select(key: string): void {
  selected = key;
  history.replaceState(null, "", key ? `#${encodeURIComponent(key)}` : location.pathname);
  draw();
}

function relabel(): void {
  document.documentElement.lang = language() === "zh" ? "zh-CN" : "en";
  skip.textContent = t("app.skip");
  for (const widget of widgets) widget.relabel();
}

function draw(): void {
  drawnAtMs = performance.now();
  window.clearTimeout(drawTimer);
  drawTimer = undefined;
  isUrgentScheduled = false;
  const taken = changes;
  changes = [];
  const keys = viewKeys(state);
  const only = keys.length === 1 ? keys[0] : undefined;
  const key = (keys.find((item) => item.key === selected) ?? only)?.key;
  const view = key === undefined ? null : viewOf(state, link, key);
  const isOverview = view === null && keys.length > 0;
  const nowMs = Date.now() - link.clockOffsetMs;
  notices.render({ state, link, hasSnapshot, hasViews: keys.length > 0, mustReload });
  header.render({ view, keys, theme, nowMs, isOverview, sound: alerts.sound, notify: alerts.notify });
  reasons.render(view);
  setHidden(main, keys.length === 0);
  setHidden(overview.root.parentElement as HTMLElement, !isOverview);
  if (isOverview) {
    const views = keys.map((item) => viewOf(state, link, item.key));
    for (const { bot } of views) if (bot && link.up) void ledger.refresh(bot, nowMs);
    overview.render({ views, today: ({ bot }) => (bot ? ledger.todayOf(bot) : null) });
  }
  detail.render({ view, state, link, changes: taken, session, nowMs });
  footer.textContent = footerText();
  document.title = view ? `${price(view.lastPrice, view.priceDecimals)} · ${view.label} · OpenSQT` : "OpenSQT";
  setAttribute(main, "data-sequence", state.sequence);
  setAttribute(main, "data-engine-sequence", state.engineSequence);
}

function footerText(): string {
  if (!state.serverVersion) return "";
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return t("footer.version", { version: state.serverVersion, zone });
}

/** Draw soon: at once when nothing was drawn lately, else when the interval is over. */
function schedule(isUrgent = false): void {
  if (drawTimer !== undefined && (isUrgentScheduled || !isUrgent)) return;
  window.clearTimeout(drawTimer);
  isUrgentScheduled = isUrgent;
  const intervalMs = isUrgent ? URGENT_INTERVAL_MS : DRAW_INTERVAL_MS;
  drawTimer = window.setTimeout(draw, Math.max(0, drawnAtMs + intervalMs - performance.now()));
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
  alerts.update(state);
  schedule(isUrgent(message));
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
window.setInterval(() => schedule(), AGE_INTERVAL_MS);
window.addEventListener("hashchange", () => select(decodeURIComponent(location.hash.slice(1))));
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  detail.applyColors();
  schedule();
});
