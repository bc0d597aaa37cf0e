/**
 * The smallest host for a module instrumented for `jspi`, without an engine that has it: `suspend` returns at once, so a
 * wait is over when it begins, and everything happens in the order in which it would. What it cannot show, runs on a newer
 * Node in instrument-jspi-engine.mjs.
 */
import type { InstrumentResult } from '../../host/instrument/index.ts';

/** What a host function returns in place of a promise. */
export class Later {
  readonly outcome: { readonly value: unknown } | { readonly error: unknown };
  /** How often the wait is not over when it seems to be, and goes on. */
  rounds: number;
  constructor(outcome: Later['outcome'], rounds: number = 0) {
    this.outcome = outcome;
    this.rounds = rounds;
  }
}

export const later = (value: unknown, rounds: number = 0): Later => new Later({ value }, rounds);

export interface Shimmed {
  readonly instance: WebAssembly.Instance;
  /** What was called, in order: `env.sleep`, `suspend`, `arrive 1` (with the token), `returned` (with the results). */
  readonly log: string[];
  readonly call: (name: string, ...args: unknown[]) => unknown;
}

type Host = (...args: never[]) => unknown;

export function instantiateShimmed(
  result: InstrumentResult,
  host: Record<string, Host> = {},
  others: Record<string, Record<string, WebAssembly.ImportValue>> = {},
): Shimmed {
  const log: string[] = [];
  const waiting = new Map<number, { readonly later: Later; readonly results: readonly string[] }>();
  let tokens = 0;
  const imports: Record<string, Record<string, WebAssembly.ImportValue>> = {};
  for (const [module, fields] of Object.entries(others)) imports[module] = { ...fields };
  for (const { module, name, results } of result.metadata.imports) {
    const own = host[`${module}.${name}`] ?? (() => undefined);
    (imports[module] ??= {})[name] = (...args: never[]): unknown => {
      log.push(`${module}.${name}`);
      const value = own(...args);
      if (!(value instanceof Later)) return value;
      return wait(value, results);
    };
  }
  const wait = (later: Later, results: readonly string[]): unknown => {
    waiting.set(++tokens, { later, results });
    call('wasm-fibers.set_pending', tokens);
    return placeholder(results);
  };
  const arrive = (token: number): unknown => {
    log.push(`arrive ${token}`);
    const found = waiting.get(token);
    if (found === undefined) throw new Error(`nothing waits for ${token}`);
    waiting.delete(token);
    const { later, results } = found;
    if (later.rounds-- > 0) return wait(later, results);
    if ('error' in later.outcome) throw later.outcome.error;
    return later.outcome.value;
  };
  const module = new WebAssembly.Module(result.wasm as Uint8Array<ArrayBuffer>);
  const own: Record<string, WebAssembly.ImportValue> = {};
  for (const { module: from, name } of WebAssembly.Module.imports(module)) {
    if (from !== 'wasm-fibers') continue;
    if (name === 'suspend') own[name] = () => void log.push('suspend');
    else if (name.startsWith('arrive.')) own[name] = arrive;
    else if (name.startsWith('returned.'))
      own[name] = (...results: unknown[]) => void log.push(`returned ${results.join()}`);
    else if (name === 'stack_overflow') {
      own[name] = (pointer: number) => {
        throw new Error(`SHADOW_STACK_OVERFLOW at ${pointer}`);
      };
    }
  }
  const instance = new WebAssembly.Instance(module, { ...imports, 'wasm-fibers': own });
  const call = (name: string, ...args: unknown[]): unknown =>
    (instance.exports[name] as (...args: unknown[]) => unknown)(...args);
  return { instance, log, call };
}

function placeholder(results: readonly string[]): unknown {
  const one = (type: string): unknown => (type === 'i64' ? 0n : type.endsWith('ref') ? null : 0);
  return results.length > 1 ? results.map(one) : results.map(one)[0];
}
