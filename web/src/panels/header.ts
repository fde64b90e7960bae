// The top of the page: which bot, how it is, how it is connected, and the reader's own choices.

import { h, setAttribute, setHidden, setText } from "../dom";
import { clockTime, duration } from "../format";
import { LANGUAGES, type Language, language, t, tName } from "../i18n";
import type { Theme } from "../settings";
import type { View } from "../view";
import type { Widget } from "./panel";

export interface HeaderActions {
  selectView(key: string): void;
  showOverview(): void;
  toggleSound(): void;
  toggleNotify(): void;
  selectLanguage(language: Language): void;
  selectTheme(theme: Theme): void;
}

export interface HeaderInput {
  view: View | null;
  keys: readonly { key: string; label: string }[];
  theme: Theme;
  nowMs: number;
  isOverview: boolean;
  sound: boolean;
  notify: boolean;
}

const THEMES: readonly Theme[] = ["auto", "light", "dark"];

export function createHeader(actions: HeaderActions): Widget<HeaderInput> & { tools: HTMLElement } {
  const bots = h("select", { id: "bot-select" });
  const languages = h("select", { id: "language-select" });
  const themes = h("select", { id: "theme-select" });
  for (const [code, name] of Object.entries(LANGUAGES)) languages.append(h("option", { value: code, lang: code }, name));
  for (const theme of THEMES) themes.append(h("option", { value: theme }));
  bots.addEventListener("change", () => actions.selectView(bots.value));
  languages.addEventListener("change", () => actions.selectLanguage(languages.value as Language));
  themes.addEventListener("change", () => actions.selectTheme(themes.value as Theme));

  const mode = h("span", { class: "badge" });
  const state = h("span", { class: "state", role: "status", "aria-live": "polite" });
  const runtime = h("span", { class: "muted number" });
  const tools = h("div", { class: "tools" });
  const overview = h("button", { type: "button", class: "button", id: "show-overview" });
  const sound = h("button", { type: "button", class: "button button-icon", id: "toggle-sound" });
  const notify = h("button", { type: "button", class: "button button-icon", id: "toggle-notify" });
  overview.addEventListener("click", () => actions.showOverview());
  sound.addEventListener("click", () => actions.toggleSound());
  notify.addEventListener("click", () => actions.toggleNotify());
  const root = h(
    "header",
    { class: "topbar" },
    h("a", { class: "brand", href: "./", "aria-label": "OpenSQT" }, h("img", { src: "./favicon.svg", alt: "", width: 26, height: 26 }), h("span", {}, "OpenSQT")),
    h("div", { class: "topbar-bot" }, overview, bots, mode, state, runtime),
    h("div", { class: "topbar-tools" }, tools, sound, notify, languages, themes),
  );
  let offered = "";

  return {
    root,
    tools,
    relabel() {
      setAttribute(bots, "aria-label", t("bot.select"));
      setAttribute(languages, "aria-label", t("language"));
      setAttribute(themes, "aria-label", t("theme"));
      setText(overview, t("overview.title"));
      setText(sound, t("alerts.sound"));
      setText(notify, t("alerts.notify"));
      setAttribute(sound, "title", t("alerts.soundHint"));
      setAttribute(notify, "title", t("alerts.notifyHint"));
      for (const option of themes.options) setText(option, t(`theme.${option.value as Theme}`));
      languages.value = language();
    },
    render({ view, keys, theme, nowMs, isOverview, sound: isSounding, notify: isNotifying }) {
      themes.value = theme;
      setHidden(overview, keys.length < 2);
      setAttribute(overview, "aria-pressed", isOverview ? "true" : "false");
      setAttribute(sound, "aria-pressed", isSounding ? "true" : "false");
      setAttribute(notify, "aria-pressed", isNotifying ? "true" : "false");
      const signature = JSON.stringify(keys);
      if (signature !== offered) {
        offered = signature;
        bots.replaceChildren(...keys.map(({ key, label }) => h("option", { value: key }, label)));
      }
      if (view && bots.value !== view.key) bots.value = view.key;
      setHidden(bots, keys.length === 0 || isOverview);
      const bot = isOverview ? null : (view?.bot ?? null);
      setHidden(state, isOverview);
      setHidden(runtime, isOverview);
      setHidden(mode, !bot);
      setText(mode, bot ? `${bot.exchange} · ${tName("mode", bot.mode)}` : "");
      setAttribute(mode, "data-mode", bot?.mode);
      setText(state, bot ? tName("state", bot.state.name) : t("state.none"));
      setAttribute(state, "data-state", view?.fresh.bot.stale ? "STALE" : (bot?.state.name ?? "NONE"));
      setText(runtime, bot?.started_ms ? t("kpi.runtime", { age: duration(nowMs - bot.started_ms) }) : "");
    },
  };
}

/** Why the bot does not trade freely, one line per reason. */
export function createReasons(): Widget<View | null> {
  const root = h("ul", { class: "reasons", hidden: true });
  return {
    root,
    relabel: () => undefined,
    render(view) {
      const bot = view?.bot;
      const reasons = bot?.state.reasons ?? [];
      setHidden(root, reasons.length === 0);
      const lines = reasons.map((reason) => {
        const since = reason.since_ms ? ` · ${t("state.since", { time: clockTime(reason.since_ms) })}` : "";
        const title = language() === "zh" ? reason.title_zh : reason.title;
        return `${title || reason.code}: ${reason.message}${since}`;
      });
      if (root.children.length !== lines.length) root.replaceChildren(...lines.map(() => h("li")));
      lines.forEach((line, index) => setText(root.children[index] as HTMLElement, line));
      setAttribute(root, "data-state", bot?.state.name);
    },
  };
}
