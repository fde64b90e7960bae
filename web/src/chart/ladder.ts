// Draws the lattice on the chart's canvas: a line and a tag per resting order, a bracket per filled slot, the window's band.

import type {
  IPrimitivePaneRenderer,
  IPrimitivePaneView,
  ISeriesApi,
  ISeriesPrimitive,
  SeriesAttachedParameter,
  Time,
} from "lightweight-charts";
import type { Colors } from "./colors";
import { type Lattice, type Rung, type RungKind, withRoom } from "./rungs";

const TAG_HEIGHT_PX = 14;
const TAG_FONT_PX = 10;
const TAG_PADDING_PX = 4;
/** The right edge belongs to the titles of the named prices. */
const EDGE_PX = 78;
const BRACKET_PX = 5;

const EMPTY: Lattice = { rungs: [], holdings: [], window: null };

type Target = Parameters<IPrimitivePaneRenderer["draw"]>[0];

export class LadderPrimitive implements ISeriesPrimitive<Time>, IPrimitivePaneView, IPrimitivePaneRenderer {
  private series: ISeriesApi<"Candlestick"> | null = null;
  private requestUpdate: () => void = () => undefined;
  private lattice: Lattice = EMPTY;
  private lastPrice = Number.NaN;
  private signature = "";

  constructor(private readonly colors: () => Colors) {}

  attached(parameters: SeriesAttachedParameter<Time>): void {
    this.series = parameters.series as ISeriesApi<"Candlestick">;
    this.requestUpdate = parameters.requestUpdate;
  }

  paneViews(): readonly IPrimitivePaneView[] {
    return [this];
  }

  renderer(): IPrimitivePaneRenderer {
    return this;
  }

  set(lattice: Lattice, lastPrice: number): void {
    this.lastPrice = lastPrice;
    // Painting is what costs: an unchanged lattice is painted when the chart moves, and not before.
    const signature = JSON.stringify(lattice);
    if (signature === this.signature) return;
    this.signature = signature;
    this.lattice = lattice;
    this.requestUpdate();
  }

  drawBackground(target: Target): void {
    target.useMediaCoordinateSpace(({ context, mediaSize }) => {
      const top = this.y(this.lattice.window?.high);
      const bottom = this.y(this.lattice.window?.low);
      if (top === null || bottom === null) return;
      context.fillStyle = this.colors().window;
      context.fillRect(0, top, mediaSize.width, bottom - top);
    });
  }

  draw(target: Target): void {
    target.useMediaCoordinateSpace(({ context, mediaSize }) => {
      context.font = `${TAG_FONT_PX}px system-ui, sans-serif`;
      context.textBaseline = "middle";
      context.textAlign = "left";
      context.lineWidth = 1;
      this.drawHoldings(context, mediaSize.width);
      this.drawRungs(context, mediaSize);
    });
  }

  private drawRungs(context: CanvasRenderingContext2D, size: { width: number; height: number }): void {
    const nearest = [...this.lattice.rungs].sort((a, b) => this.distance(a) - this.distance(b));
    // UNKNOWN orders are named first: they are what must not be overlooked.
    nearest.sort((a, b) => Number(b.kind === "unknown") - Number(a.kind === "unknown"));
    const placed = nearest
      .map((rung) => ({ rung, y: this.y(rung.price) }))
      .filter((item): item is { rung: Rung; y: number } => item.y !== null && item.y >= 0 && item.y <= size.height);
    const room = withRoom(
      placed.map((item) => item.y),
      TAG_HEIGHT_PX,
    );
    placed.forEach(({ rung, y }, index) => this.drawRung(context, rung, y, size.width, room[index] ?? false));
  }

  private drawRung(context: CanvasRenderingContext2D, rung: Rung, y: number, width: number, named: boolean): void {
    const { line, fill, text } = this.paint(rung.kind);
    const label = `${MARK[rung.kind]} ${rung.size}`;
    const tagWidth = named ? context.measureText(label).width + 2 * TAG_PADDING_PX : 0;
    const right = width - EDGE_PX;
    context.strokeStyle = line;
    context.setLineDash(rung.kind === "unknown" ? [2, 2] : [4, 3]);
    context.beginPath();
    context.moveTo(0, Math.round(y) + 0.5);
    context.lineTo(right - tagWidth, Math.round(y) + 0.5);
    context.stroke();
    context.setLineDash([]);
    if (!named) return;
    context.fillStyle = fill;
    context.beginPath();
    context.roundRect(right - tagWidth, y - TAG_HEIGHT_PX / 2 + 1, tagWidth, TAG_HEIGHT_PX - 2, 3);
    context.fill();
    context.fillStyle = text;
    context.fillText(label, right - tagWidth + TAG_PADDING_PX, y + 0.5);
  }

  private drawHoldings(context: CanvasRenderingContext2D, width: number): void {
    const x = width - EDGE_PX - TAG_WIDEST_PX;
    context.strokeStyle = context.fillStyle = this.colors().accent;
    for (const holding of this.lattice.holdings) {
      const from = this.y(holding.level);
      if (from === null) continue;
      context.beginPath();
      context.arc(x, from, 2.5, 0, 2 * Math.PI);
      context.fill();
      const to = this.y(holding.takeProfit ?? undefined);
      if (to === null) continue;
      context.beginPath();
      context.moveTo(x, from);
      context.lineTo(x, to);
      context.moveTo(x - BRACKET_PX / 2, to + BRACKET_PX / 2);
      context.lineTo(x, to);
      context.lineTo(x + BRACKET_PX / 2, to + BRACKET_PX / 2);
      context.stroke();
    }
  }

  private paint(kind: RungKind): { line: string; fill: string; text: string } {
    const colors = this.colors();
    switch (kind) {
      case "buy":
        return { line: colors.upLine, fill: colors.up, text: colors.onColor };
      case "sell":
        return { line: colors.downLine, fill: colors.down, text: colors.onColor };
      case "unknown":
        return { line: colors.warning, fill: colors.warning, text: colors.onColor };
      case "foreign":
        return { line: colors.muted, fill: colors.border, text: colors.text };
    }
  }

  private y(price: number | undefined): number | null {
    if (price === undefined || !Number.isFinite(price)) return null;
    return this.series?.priceToCoordinate(price) ?? null;
  }

  private distance(rung: Rung): number {
    return Number.isFinite(this.lastPrice) ? Math.abs(rung.price - this.lastPrice) : 0;
  }
}

// Side and doubt are told by sign as well as by colour.
const MARK: Record<RungKind, string> = { buy: "+", sell: "\u2212", unknown: "?", foreign: "\u2022" };
const TAG_WIDEST_PX = 58;
