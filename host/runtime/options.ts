/** Checks of what embedders pass, so that a typing error is reported where it was made and not as a trap much later. */
import type { BackendKind } from '../backends/backend.ts';
import { FiberError } from '../errors.ts';
import type { GuestOptions, SpawnOptions } from './api.ts';
import { RunnableFiber } from './fiber.ts';

export interface CheckedOptions extends GuestOptions {
  readonly backend: 'auto' | BackendKind;
  readonly maxFibers: number;
  readonly stackSize: number;
  readonly windowSize: number;
  readonly slowAfter: number;
}

/** The greatest delay that timers of the platform accept. */
const LONGEST_TIMEOUT = 2 ** 31 - 1;

type Kind = 'boolean' | 'function' | 'number' | 'string' | 'AbortSignal' | 'fiber';

const GUEST_OPTIONS: Record<keyof GuestOptions, Kind> = {
  backend: 'string',
  exclusive: 'boolean',
  maxFibers: 'number',
  stackSize: 'number',
  windowSize: 'number',
  onTrap: 'string',
  onReject: 'function',
  onEvent: 'function',
  slowAfter: 'number',
  debug: 'boolean',
  signal: 'AbortSignal',
};

const SPAWN_OPTIONS: Record<keyof SpawnOptions, Kind> = {
  name: 'string',
  signal: 'AbortSignal',
  timeout: 'number',
  parent: 'fiber',
};

/** @throws FiberError `INVALID_OPTION` */
export function checkOptions(options: GuestOptions): CheckedOptions {
  checkKinds(options, GUEST_OPTIONS);
  const { backend = 'auto', onTrap = 'continue' } = options;
  oneOf('backend', backend, ['auto', 'asyncify', 'jspi']);
  oneOf('onTrap', onTrap, ['continue', 'poison']);
  return {
    ...options,
    backend,
    maxFibers: integer('maxFibers', options.maxFibers ?? 10_000, 1, 'fibers'),
    stackSize: alignUp(integer('stackSize', options.stackSize ?? 65_536, 1024, 'bytes')),
    windowSize: alignUp(integer('windowSize', options.windowSize ?? 16_384, 64, 'bytes')),
    slowAfter: integer('slowAfter', options.slowAfter ?? 10_000, 1, 'ms'),
  };
}

/** @throws FiberError `INVALID_OPTION` */
export function checkSpawnOptions(options: SpawnOptions): void {
  checkKinds(options, SPAWN_OPTIONS);
  const { timeout } = options;
  if (timeout !== undefined && !(timeout > 0 && timeout <= LONGEST_TIMEOUT)) {
    throw invalid('timeout', timeout, `a number of milliseconds from above 0 to ${LONGEST_TIMEOUT}`);
  }
}

function checkKinds(options: object, kinds: Readonly<Record<string, Kind>>): void {
  if (typeof options !== 'object' || options === null) throw invalid('object', options, 'an object of options');
  for (const [name, value] of Object.entries(options) as [string, unknown][]) {
    const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
    if (kind === undefined) {
      throw new FiberError(
        'INVALID_OPTION',
        `There is no option ${name} (given ${String(value)}); there are ${Object.keys(kinds).join(', ')}.`,
      );
    }
    const fits =
      kind === 'AbortSignal'
        ? value instanceof AbortSignal
        : kind === 'fiber'
          ? value instanceof RunnableFiber
          : typeof value === kind;
    if (value !== undefined && !fits) throw invalid(name, value, `a ${kind}`);
  }
}

function integer(name: string, value: number, least: number, unit: string): number {
  if (Number.isInteger(value) && value >= least && value <= LONGEST_TIMEOUT) return value;
  throw invalid(name, value, `a whole number of ${unit}, at least ${least}`);
}

function oneOf(name: string, value: string, allowed: readonly string[]): void {
  if (!allowed.includes(value)) throw invalid(name, value, `one of ${allowed.join(', ')}`);
}

function invalid(name: string, value: unknown, expected: string): FiberError {
  return new FiberError('INVALID_OPTION', `The option ${name} must be ${expected}; it is ${String(value)}.`);
}

function alignUp(bytes: number): number {
  return Math.ceil(bytes / 16) * 16;
}
