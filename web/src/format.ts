// Decimal text for people: grouped, rounded, signed. Works on the text itself, so no digit is invented or lost.

export const NONE = "–";
const MINUS = "\u2212";

interface Parts {
  negative: boolean;
  whole: string;
  fraction: string;
}

function split(text: string): Parts {
  const negative = text.startsWith("-");
  const [whole = "0", fraction = ""] = text.replace(/^[-+]/, "").split(".");
  return { negative, whole: whole || "0", fraction };
}

/** Round decimal text to a number of places, half away from zero. */
export function roundText(text: string, places: number): string {
  const { negative, whole, fraction } = split(text);
  if (fraction.length <= places) {
    const padded = whole + (places ? `.${fraction.padEnd(places, "0")}` : "");
    return negative && !isZero(padded) ? `-${padded}` : padded;
  }
  const kept = BigInt(whole + fraction.slice(0, places)) + (fraction.charCodeAt(places) >= 53 ? 1n : 0n);
  const digits = kept.toString().padStart(places + 1, "0");
  const head = digits.slice(0, digits.length - places);
  const tail = digits.slice(digits.length - places);
  const sign = negative && kept !== 0n ? "-" : "";
  return places ? `${sign}${head}.${tail}` : sign + head;
}

/** Group thousands and use a true minus sign. */
export function group(text: string): string {
  const { negative, whole, fraction } = split(text);
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return (negative ? MINUS : "") + grouped + (fraction ? `.${fraction}` : "");
}

/** A price or size as it came, grouped. */
export function plain(text: string | null | undefined): string {
  return text === null || text === undefined ? NONE : group(text);
}

/** A price: as many places as the tick has, up to two more where it is an average. */
export function price(text: string | null | undefined, decimals: number | null): string {
  if (text === null || text === undefined) return NONE;
  if (decimals === null) return group(text);
  const [whole = "", fraction = ""] = roundText(text, decimals + 2).split(".");
  const kept = fraction.slice(0, decimals) + fraction.slice(decimals).replace(/0+$/, "");
  return group(kept ? `${whole}.${kept}` : whole);
}

export function isZero(text: string): boolean {
  return /^[-+]?0*\.?0*$/.test(text);
}

/** The exact sum of two decimal texts. */
export function addText(a: string, b: string): string {
  const places = Math.max(split(a).fraction.length, split(b).fraction.length);
  const units = (text: string): bigint => {
    const { negative, whole, fraction } = split(text);
    const value = BigInt(whole + fraction.padEnd(places, "0"));
    return negative ? -value : value;
  };
  const sum = units(a) + units(b);
  const digits = (sum < 0n ? -sum : sum).toString().padStart(places + 1, "0");
  const head = digits.slice(0, digits.length - places);
  return (sum < 0n ? "-" : "") + (places ? `${head}.${digits.slice(-places)}` : head);
}

/** -1, 0 or 1. */
export function signOf(text: string | null | undefined): number {
  if (text === null || text === undefined || isZero(text)) return 0;
  return text.startsWith("-") ? -1 : 1;
}

/** Places that tell something about an amount of money: more for small ones. */
function moneyPlaces(text: string): number {
  return split(text).whole.length >= 4 ? 2 : 4;
}

export function money(text: string | null | undefined, places?: number): string {
  if (text === null || text === undefined) return NONE;
  return group(roundText(text, places ?? moneyPlaces(text)));
}

/** Money with its sign always shown, except for zero. */
export function signedMoney(text: string | null | undefined, places?: number): string {
  if (text === null || text === undefined) return NONE;
  const rounded = roundText(text, places ?? moneyPlaces(text));
  return (signOf(rounded) > 0 ? "+" : "") + group(rounded);
}

/** A share as percent, for display only. */
export function percent(part: number, whole: number, places = 2): string {
  if (!Number.isFinite(part) || !Number.isFinite(whole) || whole === 0) return NONE;
  return `${group(roundText(((part / whole) * 100).toFixed(places), places))}%`;
}

/** A rate such as 0.0001 as percent text, exactly. */
export function ratePercent(text: string): string {
  const { negative, whole, fraction } = split(text);
  const padded = fraction.padEnd(2, "0");
  const shifted = `${whole}${padded.slice(0, 2)}`.replace(/^0+(?=\d)/, "");
  const rest = padded.slice(2).replace(/0+$/, "");
  return `${negative ? MINUS : ""}${shifted}${rest ? `.${rest}` : ""}%`;
}

/** A time span in its two largest units: 45 s, 3 min 5 s, 2 h 10 min, 4 d 3 h. */
export function duration(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return `${s} s`;
  const min = Math.floor(s / 60);
  if (min < 60) return `${min} min ${s % 60} s`;
  const h = Math.floor(min / 60);
  if (h < 24) return `${h} h ${min % 60} min`;
  return `${Math.floor(h / 24)} d ${h % 24} h`;
}

/** A time span in its largest unit alone, where there is little room: 45 s, 3 min, 2 h, 4 d. */
export function shortDuration(ms: number): string {
  const [count = "", unit = ""] = duration(ms).split(" ");
  return `${count} ${unit}`;
}

/** Hours, minutes and seconds in the browser's time zone. */
export function clockTime(ms: number): string {
  if (!ms) return NONE;
  const time = new Date(ms);
  return [time.getHours(), time.getMinutes(), time.getSeconds()].map((part) => String(part).padStart(2, "0")).join(":");
}

/** The clock time, with the day in front when it is not the reference's. */
export function dayTime(ms: number, nowMs: number): string {
  if (!ms) return NONE;
  const time = new Date(ms);
  if (time.toDateString() === new Date(nowMs).toDateString()) return clockTime(ms);
  return `${dayText(ms)} ${clockTime(ms)}`;
}

/** Month and day in the browser's time zone. */
export function dayText(ms: number): string {
  const time = new Date(ms);
  return `${String(time.getMonth() + 1).padStart(2, "0")}-${String(time.getDate()).padStart(2, "0")}`;
}
