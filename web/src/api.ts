// Requests to our own server: JSON in, JSON out, errors in words.

export class ApiError extends Error {
  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message);
  }
}

interface ErrorBody {
  error?: { message?: string };
}

export async function request<Answer>(path: string, body?: object): Promise<Answer> {
  const options: RequestInit =
    body === undefined
      ? { credentials: "same-origin" }
      : {
          method: "POST",
          credentials: "same-origin",
          // The second header proves that no other site made this request: it could not send it.
          headers: { "content-type": "application/json", "x-opensqt": "page" },
          body: JSON.stringify(body),
        };
  let response: Response;
  try {
    response = await fetch(new URL(path, document.baseURI), options);
  } catch {
    throw new ApiError("the server does not answer", 0);
  }
  const answer: unknown = await response.json().catch(() => ({}));
  if (!response.ok) throw new ApiError((answer as ErrorBody).error?.message ?? `HTTP ${response.status}`, response.status);
  return answer as Answer;
}

export const botPath = (botId: string, action: string): string => `api/bots/${encodeURIComponent(botId)}/${action}`;

/** A path with the given values as its query; undefined ones are left out. */
export function withQuery(path: string, values: Record<string, string | number | undefined>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) if (value !== undefined) query.set(name, String(value));
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}
