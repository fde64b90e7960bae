// The line that says, before any number, that numbers are old.

import { h, setAttribute, setHidden, setText } from "../dom";
import { clockTime, duration } from "../format";
import type { Link } from "../freshness";
import { type Key, t } from "../i18n";
import type { State } from "../store";
import type { Widget } from "./panel";

export interface NoticesInput {
  state: State;
  link: Link;
  hasSnapshot: boolean;
  hasViews: boolean;
  mustReload: boolean;
}

export interface Notices extends Widget<NoticesInput> {
  /** Say something of the moment, unless something graver is to be said. */
  say(text: string): void;
}

const SAID_MS = 8_000;

export function createNotices(): Notices {
  const line = h("p");
  const root = h("div", { class: "notice", role: "alert", hidden: true }, line);
  let said = "";
  let saidUntilMs = 0;
  const show = (kind: string, text: string): void => {
    setHidden(root, false);
    setAttribute(root, "data-kind", kind);
    setText(line, text);
  };

  return {
    root,
    relabel: () => undefined,
    say(text) {
      said = text;
      saidUntilMs = performance.now() + SAID_MS;
    },
    render({ state, link, hasSnapshot, hasViews, mustReload }) {
      const lost = (key: Key, sinceMs: number): string =>
        t(key, { time: clockTime(sinceMs), age: duration(Date.now() - sinceMs) });
      const down = (names: readonly string[]): number | null => {
        const sources = names.map((name) => state.sources.get(name));
        if (sources.some((source) => source === undefined || source.up)) return null;
        return Math.min(...sources.map((source) => (source?.since_ms ?? 0) + link.clockOffsetMs));
      };
      const engineSince = down(["engine"]);
      const connectorSince = down(["venue", "prices", "candles"]);
      if (mustReload) show("error", t("app.reload"));
      else if (!hasSnapshot) show("info", t("app.connecting"));
      else if (!link.up) show("error", lost("app.linkLost", link.sinceMs));
      else if (!hasViews) show("info", t("app.noBots"));
      else if (engineSince !== null) show("warning", lost("app.engineLost", engineSince));
      else if (connectorSince !== null) show("warning", lost("app.connectorLost", connectorSince));
      else if (performance.now() < saidUntilMs) show("info", said);
      else setHidden(root, true);
    },
  };
}
