// The page's socket: one connection after another, with growing pauses, for as long as the page is open.

import type { ServerMessage } from "./protocol";

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5_000;
/** The server ticks every second: a socket that is silent this long is dead, whatever the browser thinks. */
const SILENCE_LIMIT_MS = 6_000;
const WATCH_INTERVAL_MS = 1_000;

export interface ConnectionHandler {
  /** A message came. Throw to start over from a snapshot. */
  onMessage(message: ServerMessage): void;
  onUp(): void;
  onDown(): void;
}

export class Connection {
  private socket: WebSocket | null = null;
  private pauseMs = FIRST_PAUSE_MS;
  private heardAtMs = 0;
  private up = false;
  private retry: number | undefined;

  constructor(
    private readonly url: string,
    private readonly handler: ConnectionHandler,
  ) {}

  start(): void {
    this.open();
    window.setInterval(() => this.watch(), WATCH_INTERVAL_MS);
    window.addEventListener("online", () => this.retryNow());
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.retryNow();
    });
  }

  /** Start over now, as after a login. */
  restart(): void {
    this.drop();
    this.retryNow();
  }

  private open(): void {
    window.clearTimeout(this.retry);
    this.retry = undefined;
    const socket = new WebSocket(this.url);
    this.socket = socket;
    this.heardAtMs = performance.now();
    socket.addEventListener("message", (event) => {
      if (socket === this.socket && typeof event.data === "string") this.hear(event.data);
    });
    socket.addEventListener("close", () => {
      if (socket === this.socket) this.lose();
    });
  }

  private hear(text: string): void {
    this.heardAtMs = performance.now();
    try {
      this.handler.onMessage(JSON.parse(text) as ServerMessage);
    } catch (error) {
      // A gap or a message we cannot read: only a fresh snapshot puts that right.
      console.warn("starting over:", error);
      this.drop();
      return;
    }
    if (!this.up) {
      this.up = true;
      this.pauseMs = FIRST_PAUSE_MS;
      this.handler.onUp();
    }
  }

  private watch(): void {
    if (this.socket && performance.now() - this.heardAtMs > SILENCE_LIMIT_MS) this.drop();
  }

  private drop(): void {
    this.socket?.close();
    if (this.socket) this.lose();
  }

  private lose(): void {
    this.socket = null;
    if (this.up) {
      this.up = false;
      this.handler.onDown();
    }
    // Half of the pause is random, so that many pages do not come back in step.
    const pauseMs = this.pauseMs * (0.5 + Math.random() / 2);
    this.pauseMs = Math.min(this.pauseMs * 2, LONGEST_PAUSE_MS);
    this.retry = window.setTimeout(() => this.open(), pauseMs);
  }

  private retryNow(): void {
    if (this.retry !== undefined) this.open();
  }
}

/** The address of the server's socket, beside this page whatever its path is. */
export function socketUrl(): string {
  const url = new URL("ws/v1", document.baseURI);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}
