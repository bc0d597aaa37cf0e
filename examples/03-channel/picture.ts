// Draws what tasks did over time: a lane for each, and one for how many values were on their way between them.
import { Activity } from './channel.js';

interface Moment {
  readonly time: number;
  readonly activity: Activity;
  readonly onTheWay: number;
}

const COLUMNS = 72;
const NAMES = 12;

/** Characters that every log shows, and those for terminals, with their colours. */
const MARKS: Readonly<Record<Activity, readonly [plain: string, terminal: string, colour: number]>> = {
  [Activity.Working]: ['#', '█', 32],
  [Activity.Full]: ['!', '▒', 31],
  [Activity.Empty]: ['.', '·', 90],
  [Activity.Done]: [' ', ' ', 0],
};

const COLOURS = new Map(Object.values(MARKS).map(([, mark, colour]) => [mark, colour]));

const paint = (text: string): string =>
  text.replaceAll(/█+|▒+|·+/g, (run) => `\u001B[${COLOURS.get(run.charAt(0))}m${run}\u001B[0m`);

export class Picture {
  readonly #lanes = new Map<string, Moment[]>();
  readonly #all: Moment[] = [];
  readonly #start: number = performance.now();

  /** The most values that were on their way. */
  get peak(): number {
    return Math.max(...this.#all.map((moment) => moment.onTheWay));
  }

  add(who: string, activity: Activity, onTheWay: number): void {
    const moment = { time: performance.now() - this.#start, activity, onTheWay };
    this.#all.push(moment);
    const lane = this.#lanes.get(who);
    if (lane === undefined) this.#lanes.set(who, [moment]);
    else lane.push(moment);
  }

  /** How much of the time somebody spent with something; 0 to 1. */
  share(who: string, activity: Activity): number {
    const lane = this.#lanes.get(who) ?? [];
    let sum = 0;
    for (const [i, moment] of lane.entries()) {
      if (moment.activity === activity) sum += (lane[i + 1]?.time ?? moment.time) - moment.time;
    }
    return sum / ((lane.at(-1)?.time ?? 0) - (lane[0]?.time ?? 0));
  }

  lines(isTerminal: boolean): string[] {
    const end = this.#all.at(-1)?.time ?? 0;
    const mark = (moment: Moment | undefined): string =>
      moment === undefined ? ' ' : MARKS[moment.activity][isTerminal ? 1 : 0];
    const draw = (name: string, moments: readonly Moment[], cell: (moment: Moment | undefined) => string): string => {
      const at = (column: number): Moment | undefined =>
        moments.findLast((moment) => moment.time <= ((column + 0.5) / COLUMNS) * end);
      return `${name.padStart(NAMES)} ${Array.from({ length: COLUMNS }, (_, column) => cell(at(column))).join('')}`;
    };
    // In the order of their appearance, which the producer opens.
    const [producer, ...consumers] = this.#lanes;
    const onTheWay = (moment: Moment | undefined): string => (moment?.onTheWay ?? 0).toString(36);
    return [
      ...(producer === undefined ? [] : [draw(producer[0], producer[1], mark)]),
      draw('on the way', this.#all, onTheWay),
      ...consumers.map(([name, moments]) => draw(name, moments, mark)),
      `${' '.repeat(NAMES + 1)}${`0${'|'.padStart(COLUMNS - 1)}`} ${end.toFixed(0)} ms`,
    ].map((line) => paint(line.trimEnd()));
  }
}
