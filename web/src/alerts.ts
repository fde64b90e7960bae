// What the page says aloud: a short tone per fill, and a desktop notification per alarm. Both only if the reader wants.

import { t } from "./i18n";
import { Newsreader } from "./news";
import { read, write } from "./settings";
import type { State } from "./store";

const TONE_S = 0.16;
const LOUDNESS = 0.08;
const BUY_HZ = 523.25;
const SELL_HZ = 783.99;
const ALARM_HZ = 220;
/** More fills than this at once are one sound. */
const MAX_TONES = 3;

export class Alerts {
  private context: AudioContext | null = null;
  private readonly reader = new Newsreader();
  sound = read("sound") === "on";
  notify = read("notify") === "on" && "Notification" in window && Notification.permission === "granted";

  /** Sound and notify about what came. */
  update(state: State): void {
    const news = this.reader.read(state);
    if (this.sound) {
      news.fills.slice(-MAX_TONES).forEach((fill, index) => this.tone(fill.side === "BUY" ? BUY_HZ : SELL_HZ, index * TONE_S));
      if (news.alarms.length > 0) this.tone(ALARM_HZ, 0, 3 * TONE_S);
    }
    if (this.notify) for (const alarm of news.alarms) new Notification(`OpenSQT · ${alarm.code}`, { body: alarm.message, tag: alarm.code });
  }

  /** Turn the sound on or off; turning it on plays it once, as browsers only sound after a click. */
  toggleSound(): void {
    this.sound = !this.sound;
    write("sound", this.sound ? "on" : "off");
    if (this.sound) this.tone(SELL_HZ, 0);
  }

  /** Turn notifications on or off; return why they stay off when the browser refuses. */
  async toggleNotify(): Promise<string | null> {
    if (this.notify) {
      this.notify = false;
    } else {
      const answer = "Notification" in window ? await Notification.requestPermission() : "denied";
      if (answer !== "granted") return t("alerts.refused");
      this.notify = true;
    }
    write("notify", this.notify ? "on" : "off");
    return null;
  }

  private tone(hz: number, delayS: number, lengthS = TONE_S): void {
    this.context ??= new AudioContext();
    const context = this.context;
    void context.resume();
    const start = context.currentTime + delayS;
    const gain = context.createGain();
    gain.gain.setValueAtTime(0, start);
    gain.gain.linearRampToValueAtTime(LOUDNESS, start + 0.01);
    gain.gain.exponentialRampToValueAtTime(0.001, start + lengthS);
    const oscillator = context.createOscillator();
    oscillator.frequency.value = hz;
    oscillator.connect(gain).connect(context.destination);
    oscillator.start(start);
    oscillator.stop(start + lengthS);
  }
}
