// Who this browser is to the server, and what it may ask for.

export type Role = "none" | "read" | "operator";

export interface Session {
  role: Role;
  login_required: boolean;
  controls_offered: boolean;
}

export type StopMode = "keep" | "cancel" | "flatten";

export class ApiError extends Error {}

interface ErrorBody {
  error?: { message?: string };
}

async function request<Answer>(path: string, body?: object): Promise<Answer> {
  const options: RequestInit =
    body === undefined
      ? { credentials: "same-origin" }
      : {
          method: "POST",
          credentials: "same-origin",
          headers: { "content-type": "application/json" },
          body: JSON.stringify(body),
        };
  let response: Response;
  try {
    response = await fetch(new URL(path, document.baseURI), options);
  } catch {
    throw new ApiError("the server does not answer");
  }
  const answer: unknown = await response.json().catch(() => ({}));
  if (!response.ok) throw new ApiError((answer as ErrorBody).error?.message ?? `HTTP ${response.status}`);
  return answer as Answer;
}

export const fetchSession = (): Promise<Session> => request("api/session");
export const logIn = (token: string): Promise<Session> => request("api/login", { token });
export const logOut = (): Promise<Session> => request("api/logout", {});

const botPath = (botId: string, action: string): string => `api/bots/${encodeURIComponent(botId)}/${action}`;

export const pauseBot = (botId: string): Promise<object> => request(botPath(botId, "pause"), {});
export const resumeBot = (botId: string): Promise<object> => request(botPath(botId, "resume"), {});
export const stopBot = (botId: string, mode: StopMode): Promise<{ message?: string }> =>
  request(botPath(botId, "stop"), { mode });
