/** Checks of what embedders pass, so that a typing error is reported where it was made and not as a trap much later. */
import type { BackendKind } from '../backends/backend.ts';
import { FiberError } from '../errors.ts';
import { alignUp } from './alignment.ts';
import type { FiberLimits, GuestOptions, SpawnOptions } from './api.ts';
import { RunnableFiber } from './fiber.ts';

export interface CheckedOptions extends GuestOptions {
  readonly backend: 'auto' | BackendKind;
  readonly maxFibers: number;
  readonly stackSize: number;
  readonly windowSize: number;
  readonly slowAfter: number;
  readonly limits: FiberLimits & { readonly sliceMs: number };
  readonly weight: number;
}

/** The greatest delay that timers of the platform accept. */
const LONGEST_TIMEOUT = 2 ** 31 - 1;

/** What an option must be, in words, and whether a value is that. */
type Rule = readonly [expected: string, allows: (value: unknown) => boolean];

const kind = (type: string): Rule => [`a ${type}`, (value) => typeof value === type];

const oneOf = (...allowed: readonly unknown[]): Rule => [
  `one of ${allowed.join(', ')}`,
  (value) => allowed.includes(value),
];

const atLeast = (least: number, unit: string): Rule => [
  `a whole number of ${unit}, at least ${least}`,
  (value) => Number.isInteger(value) && Number(value) >= least && Number(value) <= LONGEST_TIMEOUT,
];

const between = (least: number, most: number, what: string): Rule => [
  `${what} from ${least} to ${most}`,
  (value) => typeof value === 'number' && value >= least && value <= most,
];

const TIMEOUT: Rule = [
  `a number of milliseconds from above 0 to ${LONGEST_TIMEOUT}`,
  (value) => typeof value === 'number' && value > 0 && value <= LONGEST_TIMEOUT,
];

const FUEL = between(0, Number.MAX_SAFE_INTEGER, 'a number of units');

const SIGNAL: Rule = ['an AbortSignal', (value) => value instanceof AbortSignal];

const GUEST_OPTIONS: Record<keyof GuestOptions, Rule> = {
  backend: oneOf('auto', 'asyncify', 'jspi'),
  exclusive: kind('boolean'),
  maxFibers: atLeast(1, 'fibers'),
  stackSize: atLeast(1024, 'bytes'),
  windowSize: atLeast(64, 'bytes'),
  onTrap: oneOf('continue', 'poison'),
  onReject: kind('function'),
  onEvent: kind('function'),
  slowAfter: atLeast(1, 'ms'),
  limits: ['an object', (value) => typeof value === 'object' && value !== null],
  weight: between(0.001, 1000, 'a number'),
  debug: kind('boolean'),
  signal: SIGNAL,
};

const SPAWN_OPTIONS: Record<keyof SpawnOptions, Rule> = {
  name: kind('string'),
  signal: SIGNAL,
  timeout: TIMEOUT,
  fuel: FUEL,
  parent: ['a fiber', (value) => value instanceof RunnableFiber],
};

const LIMITS: Record<keyof FiberLimits, Rule> = {
  fuel: FUEL,
  sliceMs: between(1, 1000, 'a number of milliseconds'),
  timeout: TIMEOUT,
};

/** @throws FiberError `INVALID_OPTION` */
export function checkOptions(options: GuestOptions): CheckedOptions {
  check(options, GUEST_OPTIONS);
  const { limits = {}, weight = 1 } = options;
  check(limits, LIMITS);
  const { backend = 'auto', maxFibers = 10_000, stackSize = 65_536, windowSize = 16_384, slowAfter = 10_000 } = options;
  return {
    ...options,
    backend,
    maxFibers,
    stackSize: alignUp(stackSize),
    windowSize: alignUp(windowSize),
    slowAfter,
    limits: { ...limits, sliceMs: limits.sliceMs ?? 8 },
    weight,
  };
}

/** @throws FiberError `INVALID_OPTION` */
export function checkSpawnOptions(options: SpawnOptions): void {
  check(options, SPAWN_OPTIONS);
}

export function notMetered(option: string): FiberError {
  return new FiberError(
    'INVALID_OPTION',
    `The option ${option} is for metered guests, and this module was instrumented without metering. Instrument it with --metered (metered: true).`,
  );
}

function check(options: object, rules: Readonly<Record<string, Rule>>): void {
  if (typeof options !== 'object' || options === null) throw invalid('The options', 'an object', options);
  for (const [name, value] of Object.entries(options) as [string, unknown][]) {
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined;
    if (rule === undefined) {
      throw new FiberError(
        'INVALID_OPTION',
        `There is no option ${name} (given ${String(value)}); there are ${Object.keys(rules).join(', ')}.`,
      );
    }
    const [expected, allows] = rule;
    if (value !== undefined && !allows(value)) throw invalid(`The option ${name}`, expected, value);
  }
}

function invalid(what: string, expected: string, value: unknown): FiberError {
  return new FiberError('INVALID_OPTION', `${what} must be ${expected}, not ${String(value)}.`);
}
