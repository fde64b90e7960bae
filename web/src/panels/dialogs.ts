// The two questions the page asks: a token, and "are you sure".

import { h, setText } from "../dom";
import { t } from "../i18n";

/** Ask for a token; null when the reader turned away. `submit` returns what is wrong, or null when it was accepted. */
export function askToken(hint: string, submit: (token: string) => Promise<string | null>, dismissable: boolean): Promise<boolean> {
  return new Promise((resolve) => {
    const input = h("input", { type: "password", id: "token", autocomplete: "current-password", required: true });
    const problem = h("p", { class: "problem", role: "alert" });
    const accept = h("button", { type: "submit", class: "button button-primary" }, t("login.submit"));
    const back = h("button", { type: "button", class: "button" }, t("controls.back"));
    const form = h(
      "form",
      { class: "dialog-form" },
      h("h2", {}, t("login.title")),
      h("p", {}, hint),
      h("label", { for: "token" }, t("login.token")),
      input,
      problem,
      h("div", { class: "dialog-buttons" }, ...(dismissable ? [back] : []), accept),
    );
    const dialog = h("dialog", { class: "dialog" }, form);
    const end = (accepted: boolean): void => {
      dialog.close();
      dialog.remove();
      resolve(accepted);
    };
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      accept.disabled = true;
      void submit(input.value).then((wrong) => {
        accept.disabled = false;
        if (wrong === null) end(true);
        else setText(problem, wrong);
      });
    });
    back.addEventListener("click", () => end(false));
    dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      if (dismissable) end(false);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

export interface Choice {
  value: string;
  label: string;
  danger?: boolean;
}

/** Ask once; the value of the choice, or null when the reader turned back. */
export function askChoice(question: string, choices: readonly Choice[]): Promise<string | null> {
  return new Promise((resolve) => {
    const back = h("button", { type: "button", class: "button" }, t("controls.back"));
    const buttons = choices.map((choice) => {
      const kind = choice.danger ? "button button-danger" : "button button-primary";
      return h("button", { type: "button", class: kind, "data-choice": choice.value }, choice.label);
    });
    const dialog = h(
      "dialog",
      { class: "dialog" },
      h("p", { class: "dialog-question" }, question),
      h("div", { class: "dialog-buttons dialog-choices" }, ...buttons, back),
    );
    const end = (value: string | null): void => {
      dialog.close();
      dialog.remove();
      resolve(value);
    };
    buttons.forEach((button, index) => button.addEventListener("click", () => end(choices[index]?.value ?? null)));
    back.addEventListener("click", () => end(null));
    dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      end(null);
    });
    document.body.append(dialog);
    dialog.showModal();
    back.focus();
  });
}
