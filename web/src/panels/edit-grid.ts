// Edit a running grid: a form, a preview of every order it would add, move or cancel, and one click to go back.

import { h, setHidden, setText } from "../dom";
import {
  type Applied,
  applyGrid,
  type Changes,
  changesOf,
  type Field,
  fieldsOf,
  FormError,
  gridVersions,
  type Preview,
  previewGrid,
  previewUndo,
  RANGE_ACTIONS,
  undoGrid,
  valueOf,
  type Version,
} from "../edit";
import { dayTime } from "../format";
import { t, tName } from "../i18n";
import type { Bot } from "../store";
import { previewNodes } from "./edit-preview";

const SHOWN_VERSIONS = 6;

/** Open the dialog; `done` is told in words what was applied. */
export function editGrid(bot: Bot, done: (text: string) => void): void {
  const grid = bot.grid;
  const inputs = new Map<Field, HTMLInputElement | HTMLSelectElement>();
  const fields = fieldsOf(grid).map((field) => {
    const id = `edit-${field}`;
    const input = field === "range_action" ? actionSelect(id) : h("input", { id, inputmode: "decimal", autocomplete: "off" });
    input.value = valueOf(grid, field);
    inputs.set(field, input);
    const unit = h("span", { class: "hint" }, unitOf(bot, field));
    return h("div", { class: "edit-field" }, h("label", { for: id }, t(`edit.${field}`)), input, unit);
  });
  const preview = h("button", { type: "submit", class: "button button-primary", id: "edit-preview" }, t("edit.preview"));
  const undo = h("button", { type: "button", class: "button", id: "edit-undo" }, t("edit.undo"));
  const close = h("button", { type: "button", class: "button" }, t("why.close"));
  const apply = h("button", { type: "button", class: "button button-danger", id: "edit-apply", hidden: true }, t("edit.apply"));
  const problem = h("p", { class: "problem", role: "alert" });
  const result = h("div", { class: "edit-result", id: "edit-result", "aria-live": "polite" });
  const versions = h("ol", { class: "why-history" });
  const form = h(
    "form",
    { class: "edit-form", novalidate: true },
    h("div", { class: "edit-fields" }, ...fields),
    h("div", { class: "dialog-buttons" }, preview, undo),
  );
  const dialog = h(
    "dialog",
    { class: "dialog dialog-wide", id: "edit", "aria-labelledby": "edit-title" },
    h("h2", { id: "edit-title" }, t("edit.title", { bot: bot.id, version: grid.config_version })),
    h("p", { class: "hint" }, t("edit.hint")),
    form,
    problem,
    result,
    h("details", {}, h("summary", {}, t("edit.versions")), versions),
    h("div", { class: "dialog-buttons" }, close, apply),
  );

  let pending: (() => Promise<Applied>) | null = null;
  const forget = (): void => {
    pending = null;
    setHidden(apply, true);
    result.replaceChildren();
  };
  const busy = async (work: () => Promise<void>): Promise<void> => {
    setText(problem, "");
    for (const button of [preview, undo, apply]) button.disabled = true;
    try {
      await work();
    } catch (error) {
      setText(problem, error instanceof Error ? error.message : String(error));
    } finally {
      for (const button of [preview, undo, apply]) button.disabled = false;
    }
  };
  const show = (told: Preview, commit: () => Promise<Applied>, label: string): void => {
    result.replaceChildren(...previewNodes(told, bot));
    pending = told.preview_token ? commit : null;
    setText(apply, label);
    setHidden(apply, pending === null);
  };
  form.addEventListener("input", forget);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const changes = readForm(bot, inputs, problem);
    if (changes === null) return;
    void busy(async () => {
      const told = await previewGrid(bot.id, changes);
      show(told, () => applyGrid(bot.id, changes, told), t("edit.apply"));
    });
  });
  undo.addEventListener("click", () => {
    void busy(async () => {
      const told = await previewUndo(bot.id);
      show(told, () => undoGrid(bot.id, told), t("edit.applyUndo"));
    });
  });
  const end = (): void => {
    dialog.close();
    dialog.remove();
  };
  apply.addEventListener("click", () => {
    const commit = pending;
    if (!commit) return;
    void busy(async () => {
      const told = await commit();
      done(t("edit.done", { version: told.version, what: told.applied.what.join("; ") }));
      end();
    });
  });
  close.addEventListener("click", end);
  dialog.addEventListener("cancel", end);
  document.body.append(dialog);
  dialog.showModal();
  void gridVersions(bot.id).then(
    (told) => versions.replaceChildren(...told.versions.slice(0, SHOWN_VERSIONS).map(versionLine)),
    (error: unknown) => versions.replaceChildren(h("li", {}, error instanceof Error ? error.message : String(error))),
  );
}

function readForm(bot: Bot, inputs: Map<Field, HTMLInputElement | HTMLSelectElement>, problem: HTMLElement): Changes | null {
  const values = Object.fromEntries([...inputs].map(([field, input]) => [field, input.value]));
  try {
    const changes = changesOf(bot.grid, values);
    if (Object.keys(changes).length > 0) return changes;
    setText(problem, t("edit.nothing"));
  } catch (error) {
    if (!(error instanceof FormError)) throw error;
    setText(problem, t("edit.notANumber", { field: t(`edit.${error.field}`) }));
    inputs.get(error.field)?.focus();
  }
  return null;
}

function actionSelect(id: string): HTMLSelectElement {
  return h("select", { id }, ...RANGE_ACTIONS.map((action) => h("option", { value: action }, tName("rangeAction", action))));
}

function unitOf(bot: Bot, field: Field): string {
  const { base, quote } = bot.instrument;
  if (field === "max_position") return base;
  return ["buy_window", "sell_window", "max_open_orders", "range_action", "ratio"].includes(field) ? "" : quote;
}

function versionLine(version: Version): HTMLElement {
  const who = version.operator ? ` · ${version.operator}` : "";
  const what = version.what.length > 0 ? `: ${version.what.join("; ")}` : "";
  const current = version.is_current ? ` (${t("edit.current")})` : "";
  const text = `${version.version} · ${dayTime(version.time_ms, Date.now())} · ${tName("versionAction", version.action)}${who}${what}${current}`;
  return h("li", {}, text);
}
