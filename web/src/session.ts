// Who this browser is to the server, and what it may ask for.

import { botPath, request } from "./api";

export type Role = "none" | "read" | "operator";

export interface Session {
  role: Role;
  login_required: boolean;
  controls_offered: boolean;
}

export type StopMode = "keep" | "cancel" | "flatten";

export const fetchSession = (): Promise<Session> => request("api/session");
export const logIn = (token: string): Promise<Session> => request("api/login", { token });
export const logOut = (): Promise<Session> => request("api/logout", {});

export const pauseBot = (botId: string): Promise<object> => request(botPath(botId, "pause"), {});
export const resumeBot = (botId: string): Promise<object> => request(botPath(botId, "resume"), {});
export const stopBot = (botId: string, mode: StopMode): Promise<{ message?: string }> =>
  request(botPath(botId, "stop"), { mode });

export interface Reconciled {
  corrections: { order: string; what: string; evidence: string }[];
  position_match: boolean;
}

export const reconcileBot = (botId: string): Promise<Reconciled> => request(botPath(botId, "reconcile"), {});

export interface Killed {
  is_clean: boolean;
  symbols: { bot: string; symbol: string; own_orders_left: number; position_left: string; error: string }[];
}

export const killBot = (botId: string, flatten: boolean): Promise<Killed> => request(botPath(botId, "kill"), { flatten });
