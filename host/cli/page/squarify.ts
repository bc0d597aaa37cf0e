/**
 * Squarified treemaps (Bruls, Huizing, van Wijk 2000): rectangles of given areas fill another one, as near to squares as
 * goes. A row grows along the shorter side for as long as the worst of its rectangles gets better.
 *
 * d3-hierarchy does this too. It would have to be put into every page, with what it depends on; this is what is needed of it.
 */

export interface Rectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/**
 * @param values positive, the largest first
 * @returns a rectangle for each
 */
export function squarify(values: readonly number[], into: Rectangle): Rectangle[] {
  const total = values.reduce((sum, value) => sum + value, 0);
  const placed: Rectangle[] = [];
  const scale = total > 0 ? (into.width * into.height) / total : 0;
  let { x, y, width, height } = into;
  for (let from = 0; from < values.length;) {
    const side = Math.min(width, height);
    let to = from;
    let sum = 0;
    let worst = Infinity;
    for (; to < values.length; to++) {
      const next = sum + (values[to] ?? 0) * scale;
      const ratio = worstRatio(side, next, (values[from] ?? 0) * scale, (values[to] ?? 0) * scale);
      if (ratio > worst) break;
      worst = ratio;
      sum = next;
    }
    // Where nothing is left of the side, areas of zero still get their rectangles.
    if (to === from) to = values.length;
    const thickness = side > 0 ? sum / side : 0;
    const upright = width >= height;
    let along = 0;
    for (; from < to; from++) {
      const length = thickness > 0 ? ((values[from] ?? 0) * scale) / thickness : 0;
      placed.push(
        upright
          ? { x, y: y + along, width: thickness, height: length }
          : { x: x + along, y, width: length, height: thickness },
      );
      along += length;
    }
    if (upright) {
      x += thickness;
      width = Math.max(0, width - thickness);
    } else {
      y += thickness;
      height = Math.max(0, height - thickness);
    }
  }
  return placed;
}

/** How far the worst rectangle of a row is from a square: 1 is one. */
function worstRatio(side: number, sum: number, largest: number, smallest: number): number {
  if (sum <= 0 || smallest <= 0) return Infinity;
  return Math.max((side * side * largest) / (sum * sum), (sum * sum) / (side * side * smallest));
}
