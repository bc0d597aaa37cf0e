/** What a program may be given, and the check that it is that: a typing error is reported where it was made. */
import { FiberError } from '../errors.ts';
import { type Clock, systemClock } from './clock.ts';
import { type Files, isFiles } from './files.ts';
import { type InputSource, isInputSource } from './input.ts';
import { type ReadyWasi, type WasiProvider, isProvider, providerOf } from './provider.ts';
import { type OutputTarget, consoleOutput, isOutputTarget } from './output.ts';

/** Options of `wasi`: what the program sees of the world. Nothing that is not given can be reached. */
export interface WasiOptions {
  /** The program's arguments; the first one is its own name. Default `['program']`. */
  readonly args?: readonly string[];
  /** Environment variables. Default none. */
  readonly env?: Readonly<Record<string, string>>;
  /** Standard input: text, bytes, or what gives them piece by piece. Default empty. */
  readonly stdin?: InputSource;
  /** Standard output: a function or object that takes bytes (a promise holds the program back), or a stream. Default the console. */
  readonly stdout?: OutputTarget;
  /** Standard error, likewise. */
  readonly stderr?: OutputTarget;
  /**
   * Files: a file system, which the program sees at `/`; or an object of paths and what is there: text, bytes, an object of the
   * same kind, or a file system, which is mounted there. Default none: the program opens nothing.
   */
  readonly files?: Files;
  /** Which streams are a terminal, so that programs flush each line and ask questions. Default false. */
  readonly terminal?: boolean | { readonly stdin?: boolean; readonly stdout?: boolean; readonly stderr?: boolean };
  /** The time. Default the platform's. */
  readonly clock?: Clock;
  /** Fills the bytes, at most 65,536 at a time. Default `crypto.getRandomValues`. */
  readonly random?: (bytes: Uint8Array<ArrayBuffer>) => void;
  /**
   * Another implementation of WASI, for files and for what no other option names: a ready `WASI` object of @wasmer/wasi (see
   * `initWasmer`), @bjorn3/browser_wasi_shim or `node:wasi`. Default none. Not together with `files`.
   */
  readonly provider?: WasiProvider | ReadyWasi;
  /**
   * Told of errors that the guest sees only as EIO or EPIPE, since they are no POSIX errors: a stream that failed, a mistake in
   * a file system of one's own.
   *
   * @param call the function of WASI, such as `fd_read`
   */
  readonly onError?: (error: unknown, call: string) => void;
}

/** An option in words, and whether a value is that. */
type Rule = readonly [expected: string, allows: (value: unknown) => boolean];

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;
const isText = (value: unknown): boolean => typeof value === 'string' && !value.includes('\0');
const isFunction = (value: unknown): boolean => typeof value === 'function';

const OUTPUT: Rule = ['a function, an object with write, or a WritableStream', isOutputTarget];

const RULES: Record<keyof WasiOptions, Rule> = {
  args: ['an array of strings without NUL', (value) => Array.isArray(value) && value.every(isText)],
  env: [
    'an object of strings without NUL, whose names have no = in them',
    (value) =>
      isObject(value) &&
      Object.entries(value).every(([name, each]) => isText(name) && !name.includes('=') && isText(each)),
  ],
  stdin: ['text, bytes, a ReadableStream or something iterable', isInputSource],
  stdout: OUTPUT,
  stderr: OUTPUT,
  files: ['a file system, or an object of paths and contents', isFiles],
  terminal: ['a boolean, or an object of booleans', (value) => typeof value === 'boolean' || isObject(value)],
  clock: [
    'an object with realtime, monotonic and wait',
    (value) =>
      isObject(value) && ['realtime', 'monotonic', 'wait'].every((name) => isFunction(Reflect.get(value, name))),
  ],
  random: ['a function', isFunction],
  provider: ['a ready WASI object', isProvider],
  onError: ['a function', isFunction],
};

/** The names of all options, for whoever has more of them. */
export const WASI_OPTIONS: readonly string[] = Object.keys(RULES);

export interface CheckedOptions {
  readonly args: readonly string[];
  readonly environment: readonly string[];
  readonly stdin: InputSource;
  readonly stdout: OutputTarget;
  readonly stderr: OutputTarget;
  readonly files: Files | null;
  readonly provider: WasiProvider | null;
  /** The names of the options that were given. */
  readonly given: ReadonlySet<string>;
  readonly terminal: { readonly stdin: boolean; readonly stdout: boolean; readonly stderr: boolean };
  readonly clock: Clock;
  readonly random: (bytes: Uint8Array<ArrayBuffer>) => void;
  readonly onError: ((error: unknown, call: string) => void) | null;
}

/** @throws FiberError `INVALID_OPTION` */
export function checkWasiOptions(options: WasiOptions): CheckedOptions {
  if (!isObject(options))
    throw new FiberError('INVALID_OPTION', `The options must be an object, not ${String(options)}.`);
  for (const [name, value] of Object.entries(options) as [keyof WasiOptions, unknown][]) {
    const rule = Object.hasOwn(RULES, name) ? RULES[name] : undefined;
    if (rule === undefined) {
      throw new FiberError('INVALID_OPTION', `There is no option ${name}; there are ${WASI_OPTIONS.join(', ')}.`);
    }
    if (value !== undefined && !rule[1](value)) {
      throw new FiberError('INVALID_OPTION', `The option ${name} must be ${rule[0]}, not ${String(value)}.`);
    }
  }
  const given = new Set(Object.keys(options).filter((name) => Reflect.get(options, name) !== undefined));
  if (given.has('provider') && given.has('files')) {
    throw new FiberError(
      'INVALID_OPTION',
      'The options provider and files exclude each other: the provider has the files.',
    );
  }
  const { terminal = false } = options;
  const isTerminal = (name: 'stdin' | 'stdout' | 'stderr'): boolean =>
    typeof terminal === 'boolean' ? terminal : terminal[name] === true;
  return {
    args: options.args ?? ['program'],
    environment: Object.entries(options.env ?? {}).map(([name, value]) => `${name}=${value}`),
    stdin: options.stdin ?? '',
    stdout: options.stdout ?? consoleOutput('log'),
    stderr: options.stderr ?? consoleOutput('error'),
    files: options.files ?? null,
    provider: options.provider === undefined ? null : providerOf(options.provider),
    given,
    terminal: { stdin: isTerminal('stdin'), stdout: isTerminal('stdout'), stderr: isTerminal('stderr') },
    clock: options.clock ?? systemClock,
    random: options.random ?? ((bytes) => void crypto.getRandomValues(bytes)),
    onError: options.onError ?? null,
  };
}
