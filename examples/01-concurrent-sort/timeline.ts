// Bars against time: when each of a few fibers ran (anything at all in that column) and when it only waited.

/** When a fiber began, when it went on after a wait, and when it ended; milliseconds. */
export interface Track {
  readonly name: string;
  readonly began: number;
  readonly resumed: readonly number[];
  readonly ended: number;
}

const UNICODE = { ran: '█', waited: '░', corner: '└', line: '─' } as const;
const PLAIN = { ran: '#', waited: '-', corner: '+', line: '-' } as const;

/**
 * @param width columns for the whole span
 * @param plain characters that every log shows
 */
export function timeline(tracks: readonly Track[], width: number, plain: boolean): string[] {
  const start = Math.min(...tracks.map((track) => track.began));
  const end = Math.max(...tracks.map((track) => track.ended));
  const label = Math.max(...tracks.map((track) => track.name.length));
  const marks = plain ? PLAIN : UNICODE;
  const column = (time: number): number => Math.min(width - 1, Math.floor(((time - start) / (end - start)) * width));
  const bars = tracks.map((track) => {
    const ran = new Set([track.began, ...track.resumed].map((time) => column(time)));
    const cells = Array.from({ length: width }, (_, at) => {
      if (at < column(track.began) || at > column(track.ended)) return ' ';
      return ran.has(at) ? marks.ran : marks.waited;
    });
    return `${track.name.padStart(label)} ${cells.join('')}`.trimEnd();
  });
  const axis = `${' '.repeat(label + 1)}${marks.corner}${marks.line.repeat(width - 1)} ${((end - start) / 1000).toFixed(2)} s`;
  return [...bars, axis];
}
