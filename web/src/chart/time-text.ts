// Times on the chart, in the browser's time zone.

import type { Time } from "lightweight-charts";

const two = (n: number): string => String(n).padStart(2, "0");

export function localTime(time: Time): string {
  const date = new Date(Number(time) * 1_000);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}`;
}

export function localTick(time: Time): string {
  const date = new Date(Number(time) * 1_000);
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}`;
  return clock === "00:00" ? `${two(date.getMonth() + 1)}-${two(date.getDate())}` : clock;
}
