// The account's balances.

import { money, NONE, signedMoney, signOf } from "../format";
import type { View } from "../view";
import { createFacts, createPanel, type Widget } from "./panel";

export function createAccount(): Widget<View> {
  const facts = createFacts([
    "account.wallet",
    "account.margin",
    "account.available",
    "position.unrealized",
    "account.maintenance",
  ]);
  const panel = createPanel("account", "account.title", facts.root);

  return {
    root: panel.root,
    relabel() {
      panel.relabel();
      facts.relabel();
    },
    render(view) {
      const account = view.account;
      panel.setFreshness(view.fresh.account, view.fromVenue && account !== null);
      const amount = (text: string | undefined): string =>
        account && text !== undefined ? `${money(text, 4)} ${account.asset}` : NONE;
      facts.set("account.wallet", amount(account?.wallet));
      facts.set("account.margin", amount(account?.margin));
      facts.set("account.available", amount(account?.available));
      facts.set("position.unrealized", account ? signedMoney(account.unrealized_pnl, 4) : NONE, {
        sign: signOf(account?.unrealized_pnl),
      });
      facts.set("account.maintenance", amount(account?.maintenance_margin));
    },
  };
}
