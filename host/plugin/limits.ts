/**
 * The limits of a plugin: what each is, in which unit, and what holds where nobody says anything. What the embedder gives is the
 * most that there is; a manifest may ask for less, never for more.
 */
import * as v from 'valibot';
import { FiberError } from '../errors.ts';
import { fields } from './check.ts';

/** Every limit; reaching one is a `FiberError` `LIMIT_REACHED` whose `limit` is its name, but for the first three. */
export interface PluginLimits {
  /** Units of work of one call; beyond, it ends with `OUT_OF_FUEL`, at the same place on every engine. Default none. */
  readonly fuel?: number | undefined;
  /** Milliseconds for which the plugin holds the thread at a time. Default 8. */
  readonly sliceMs?: number | undefined;
  /** Milliseconds that one call may take, waits included; then it ends with `TIMEOUT`. Default none. */
  readonly timeout?: number | undefined;
  /** Bytes of linear memory, whole pages of 65,536. Default 256 MiB. */
  readonly memory?: number | undefined;
  /** Elements of each table. Default 100,000. */
  readonly tableElements?: number | undefined;
  /** Calls inside of each other. Default none but the engine's own. */
  readonly callDepth?: number | undefined;
  /** Bytes of shadow stack of each fiber. Default 65,536. */
  readonly stackSize?: number | undefined;
  /** Calls at once, those that wait for an instance included. Default 100. */
  readonly fibers?: number | undefined;
  /** Promises of host functions that the plugin waits for at once. Default 100. */
  readonly pendingCalls?: number | undefined;
  /** Bytes that a call is given, and likewise the result of each host function. Default 16 MiB. */
  readonly inputBytes?: number | undefined;
  /** Bytes that a call returns, and likewise what each host function is given. Default 16 MiB. */
  readonly outputBytes?: number | undefined;
  /** Values and keys of JSON that the plugin gives: parsing them cannot be interrupted. Default 100,000. */
  readonly jsonValues?: number | undefined;
  /** Calls of host functions per second, on average; so many at once. Default 10,000. */
  readonly callsPerSecond?: number | undefined;
  /** Calls of WASI, the console, the clock and random numbers, likewise. Default 100,000. */
  readonly systemCallsPerSecond?: number | undefined;
  /** Bytes of the module. Default 16 MiB. */
  readonly moduleBytes?: number | undefined;
  /** Milliseconds for reading, instrumenting, compiling and starting it. Default 30,000. */
  readonly loadMs?: number | undefined;
}

/** Limits as they hold: those without a default may be absent. */
export type SettledLimits = Required<Defaults> & Pick<PluginLimits, 'fuel' | 'timeout' | 'callDepth'>;

type Defaults = { readonly [K in Exclude<keyof PluginLimits, 'fuel' | 'timeout' | 'callDepth'>]: number };

const DEFAULTS: Defaults = {
  sliceMs: 8,
  memory: 2 ** 28,
  tableElements: 100_000,
  stackSize: 65_536,
  fibers: 100,
  pendingCalls: 100,
  inputBytes: 2 ** 24,
  outputBytes: 2 ** 24,
  jsonValues: 100_000,
  callsPerSecond: 10_000,
  systemCallsPerSecond: 100_000,
  moduleBytes: 2 ** 24,
  loadMs: 30_000,
};

/** The greatest delay that timers of the platform accept. */
const LONGEST = 2 ** 31 - 1;

const whole = (
  unit: string,
  least: number,
  most: number = Number.MAX_SAFE_INTEGER,
): v.OptionalSchema<v.GenericSchema<number>, undefined> =>
  v.optional(
    v.custom<number>(
      (value) => Number.isSafeInteger(value) && Number(value) >= least && Number(value) <= most,
      `must be a whole number of ${unit} from ${least} to ${most}`,
    ),
  );

/** One schema for the manifest and for the embedder. */
export const LIMITS: v.GenericSchema<PluginLimits> = fields({
  fuel: whole('units', 1),
  sliceMs: whole('milliseconds', 1, 1000),
  timeout: whole('milliseconds', 1, LONGEST),
  memory: whole('bytes', 0, 2 ** 32),
  tableElements: whole('elements', 0, 10_000_000),
  callDepth: whole('calls', 1, 1_000_000),
  stackSize: whole('bytes', 1024, 2 ** 30),
  fibers: whole('calls', 1),
  pendingCalls: whole('promises', 0),
  inputBytes: whole('bytes', 0),
  outputBytes: whole('bytes', 0),
  jsonValues: whole('values', 0),
  callsPerSecond: whole('calls', 0),
  systemCallsPerSecond: whole('calls', 0),
  moduleBytes: whole('bytes', 8),
  loadMs: whole('milliseconds', 1, LONGEST),
});

/** The smaller of what the embedder gives, or the default, and what the manifest asks for. */
export function settleLimits(granted: PluginLimits, asked: PluginLimits): SettledLimits {
  const settled: Record<string, number> = {};
  for (const name of [...Object.keys(DEFAULTS), 'fuel', 'timeout', 'callDepth'] as (keyof PluginLimits)[]) {
    const most = granted[name] ?? DEFAULTS[name as keyof Defaults];
    const wanted = asked[name];
    const value = most === undefined ? wanted : Math.min(most, wanted ?? most);
    if (value !== undefined) settled[name] = value;
  }
  // Every name was taken from the tables above.
  return settled as unknown as SettledLimits;
}

/** The error of a limit that was reached. */
export function limitReached(limit: keyof PluginLimits, message: string, cause?: unknown): FiberError {
  return new FiberError('LIMIT_REACHED', message, { limit, ...(cause !== undefined && { cause }) });
}
