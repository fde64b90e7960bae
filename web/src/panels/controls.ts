// Pause, resume, stop, reconcile, kill, edit: offered to operators, asked once, answered in words.

import { h, setAttribute, setHidden, setText } from "../dom";
import { t } from "../i18n";
import { killBot, pauseBot, reconcileBot, resumeBot, type Session, type StopMode, stopBot } from "../session";
import type { Bot } from "../store";
import type { View } from "../view";
import { askChoice, type Choice } from "./dialogs";
import { editGrid } from "./edit-grid";
import { createPanel, type Widget } from "./panel";

export interface ControlsInput {
  view: View | null;
  session: Session | null;
}

export interface ControlsActions {
  unlock(): void;
  lock(): void;
}

export function createControls(actions: ControlsActions): Widget<ControlsInput> {
  const pause = h("button", { type: "button", class: "button", id: "control-pause" });
  const resume = h("button", { type: "button", class: "button", id: "control-resume" });
  const edit = h("button", { type: "button", class: "button", id: "control-edit" });
  const reconcile = h("button", { type: "button", class: "button", id: "control-reconcile" });
  const stop = h("button", { type: "button", class: "button button-danger", id: "control-stop" });
  const kill = h("button", { type: "button", class: "button button-danger", id: "control-kill" });
  const unlock = h("button", { type: "button", class: "button", id: "control-unlock" });
  const lock = h("button", { type: "button", class: "button button-small" });
  const buttons = h("div", { class: "buttons" }, pause, resume, edit, reconcile, stop, kill);
  const off = h("p", { class: "hint" });
  const outcome = h("p", { class: "outcome", role: "status", "aria-live": "polite" });
  const panel = createPanel("controls", "controls.title", off, unlock, buttons, outcome);
  panel.aside.append(lock);
  let bot: Bot | null = null;
  let botId: string | null = null;
  let isBusy = false;

  const run = async (action: string, send: () => Promise<{ message?: string }>): Promise<void> => {
    isBusy = true;
    setText(outcome, "…");
    setAttribute(outcome, "data-ok", undefined);
    try {
      const answer = await send();
      setText(outcome, t("controls.done", { action: [action, answer.message].filter(Boolean).join(" · ") }));
      setAttribute(outcome, "data-ok", "yes");
    } catch (error) {
      setText(outcome, t("controls.failed", { message: error instanceof Error ? error.message : String(error) }));
      setAttribute(outcome, "data-ok", "no");
    } finally {
      isBusy = false;
    }
  };

  const ask = async (question: string, choices: readonly Choice[]): Promise<[string, string] | null> => {
    const asked = botId;
    if (asked === null || isBusy) return null;
    const choice = await askChoice(question, choices);
    return choice === null ? null : [asked, choice];
  };

  const confirm = (): Choice[] => [{ value: "yes", label: t("controls.confirm") }];
  pause.addEventListener("click", async () => {
    const answer = await ask(t("controls.pauseAsk", { bot: botId ?? "" }), confirm());
    if (answer) await run(t("controls.pause"), () => pauseBot(answer[0]));
  });
  resume.addEventListener("click", async () => {
    const answer = await ask(t("controls.resumeAsk", { bot: botId ?? "" }), confirm());
    if (answer) await run(t("controls.resume"), () => resumeBot(answer[0]));
  });
  stop.addEventListener("click", async () => {
    const answer = await ask(t("controls.stopAsk", { bot: botId ?? "" }), [
      { value: "keep", label: t("controls.keep") },
      { value: "cancel", label: t("controls.cancel") },
      { value: "flatten", label: t("controls.flatten"), danger: true },
    ]);
    if (answer) await run(t(`controls.${answer[1] as StopMode}`), () => stopBot(answer[0], answer[1] as StopMode));
  });
  reconcile.addEventListener("click", async () => {
    const answer = await ask(t("controls.reconcileAsk", { bot: botId ?? "" }), confirm());
    if (!answer) return;
    await run(t("controls.reconcile"), async () => {
      const told = await reconcileBot(answer[0]);
      const key = told.position_match ? "controls.reconciled" : "controls.positionDiffers";
      return { message: t(key, { n: told.corrections.length }) };
    });
  });
  kill.addEventListener("click", async () => {
    const answer = await ask(t("controls.killAsk", { bot: botId ?? "" }), [
      { value: "cancel", label: t("controls.killCancel"), danger: true },
      { value: "flatten", label: t("controls.killFlatten"), danger: true },
    ]);
    if (!answer) return;
    await run(t("controls.kill"), async () => {
      const told = await killBot(answer[0], answer[1] === "flatten");
      const left = told.symbols.map((one) => one.error).filter(Boolean);
      return { message: told.is_clean ? t("controls.killed") : [t("controls.killedNot"), ...left].join(" · ") };
    });
  });
  edit.addEventListener("click", () => {
    if (!bot || isBusy) return;
    editGrid(bot, (text) => {
      setText(outcome, t("controls.done", { action: text }));
      setAttribute(outcome, "data-ok", "yes");
    });
  });
  unlock.addEventListener("click", () => actions.unlock());
  lock.addEventListener("click", () => actions.lock());

  return {
    root: panel.root,
    relabel() {
      panel.relabel();
      setText(pause, t("controls.pause"));
      setText(resume, t("controls.resume"));
      setText(stop, t("controls.stop"));
      setText(edit, t("controls.edit"));
      setText(reconcile, t("controls.reconcile"));
      setText(kill, t("controls.kill"));
      setText(unlock, t("controls.unlock"));
      setText(lock, t("controls.lock"));
      setText(off, t("controls.off"));
    },
    render({ view, session }) {
      bot = view?.bot ?? null;
      botId = bot?.id ?? null;
      const offered = session?.controls_offered ?? false;
      const isOperator = session?.role === "operator";
      setHidden(off, offered || session === null);
      setHidden(unlock, !offered || isOperator);
      setHidden(buttons, !isOperator);
      setHidden(lock, !isOperator);
      const state = view?.bot?.state.name;
      pause.disabled = botId === null || state === "STOPPED";
      resume.disabled = botId === null || state === "ACTIVE";
      stop.disabled = botId === null || state === "STOPPED";
      edit.disabled = reconcile.disabled = kill.disabled = botId === null;
    },
  };
}
