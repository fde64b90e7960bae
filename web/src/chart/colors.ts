// The chart draws on a canvas, so it reads the style sheet's colours instead of inheriting them.

export interface Colors {
  text: string;
  muted: string;
  grid: string;
  border: string;
  up: string;
  down: string;
  upLine: string;
  downLine: string;
  upFill: string;
  downFill: string;
  accent: string;
  warning: string;
  /** Text on a filled tag. */
  onColor: string;
  /** The band of the lattice's window. */
  window: string;
}

export function readColors(): Colors {
  const style = getComputedStyle(document.documentElement);
  const color = (name: string): string => style.getPropertyValue(name).trim();
  return {
    text: color("--text"),
    muted: color("--text-muted"),
    grid: color("--chart-grid"),
    border: color("--border"),
    up: color("--up"),
    down: color("--down"),
    upLine: color("--up-line"),
    downLine: color("--down-line"),
    upFill: color("--up-soft"),
    downFill: color("--down-soft"),
    accent: color("--accent"),
    warning: color("--warning"),
    onColor: color("--on-color"),
    window: color("--window"),
  };
}
