/**
 * One program as an operating system would have it: the functions that its guest imports, what it has open, and its end.
 *
 * What holds: a function of WASI answers with an error number, whatever the guest passes; it throws only to end the program,
 * and then what no guest can catch. Once the program has ended, every further call ends its caller too.
 */
import { FiberError } from '../errors.ts';
import {
  type Fiber,
  type Guest,
  type Imports,
  type SpawnOptions,
  canSuspend,
  currentFiber,
  suspending,
} from '../index.ts';
import { ALL_RIGHTS, DIRECTORY_RIGHTS, ERRNO, WASI_MODULE } from './abi.ts';
import { Calls } from './calls.ts';
import { DescriptorTable, DirectoryDescriptor, StreamDescriptor } from './descriptors.ts';
import { FileError, errnoOf } from './errors.ts';
import { endGuest } from './exit.ts';
import { type Preopen, openFiles } from './files.ts';
import { Foreign } from './foreign.ts';
import { dataFunctions } from './functions/data.ts';
import { descriptorFunctions } from './functions/descriptors.ts';
import type { Context, WasiFunction } from './functions/context.ts';
import { pathFunctions } from './functions/paths.ts';
import { pollFunctions } from './functions/poll.ts';
import { processFunctions } from './functions/process.ts';
import { socketFunctions } from './functions/sockets.ts';
import { Input } from './input.ts';
import { GuestMemory } from './memory.ts';
import { type CheckedOptions, type WasiOptions, checkWasiOptions } from './options.ts';
import { Output } from './output.ts';
import { type Steps, perform, settle } from './steps.ts';
import { mayWait } from './suspending-imports.ts';

/** A program's surroundings, as `wasi` makes them. */
export interface Wasi {
  /** For `instantiate`. */
  readonly imports: Imports;
  /** What the program has exited with; null as long as it has not. */
  readonly exitCode: number | null;
  /**
   * Resolves when what the program has from the beginning is open. `start` and `initialize` wait for it themselves.
   *
   * @throws whatever a file system throws, such as a `FileError` `ENOENT`
   */
  readonly ready: Promise<void>;
  /**
   * Runs a command, once: calls `_start`, and closes everything when that has ended.
   *
   * @returns the exit code; 0 if `_start` just returns
   * @throws FiberError `NO_SUCH_EXPORT`, `CANCELLED`, `TIMEOUT`; and the guest's own trap
   */
  start<E>(guest: Guest<E>, options?: SpawnOptions): Promise<number>;
  /**
   * Makes a library (`-mexec-model=reactor`) ready: calls `_initialize`, if it has one. Its other exports may then be called;
   * `close` when they are not needed any more.
   */
  initialize<E>(guest: Guest<E>): Promise<void>;
  /** Closes everything that is open, after what is still being read and written. May be called more than once. */
  close(): Promise<void>;
}

/**
 * The surroundings of one program, for those who hold the guest themselves; `run` does it all at once. Each program needs
 * its own.
 *
 * @throws FiberError `INVALID_OPTION`
 * @example
 * const program = wasi({ args: ['sort'], stdin: 'b\na\n' });
 * const guest = await instantiate(source, { ...program.imports, env: { ask } });
 * const exitCode = await program.start(guest);
 */
export function wasi(options: WasiOptions = {}): Wasi {
  return new Program(checkWasiOptions(options));
}

class Program implements Wasi {
  readonly imports: Imports;
  readonly ready: Promise<void>;
  readonly #descriptors = new DescriptorTable();
  readonly #calls = new Calls();
  readonly #stdin: Input;
  readonly #outputs: readonly Output[];
  readonly #onError: CheckedOptions['onError'];
  readonly #foreign: Foreign | null;
  /** Null once what the program has from the beginning is open. */
  #opening: Promise<void> | null = null;
  #preopens: readonly Preopen[] = [];
  #guest: Guest | null = null;
  #exitCode: number | null = null;
  #closing: Promise<void> | null = null;

  constructor(options: CheckedOptions) {
    const { terminal, clock } = options;
    this.#onError = options.onError;
    this.#foreign = options.provider === null ? null : new Foreign(options.provider, options.given);
    this.#stdin = new Input(options.stdin);
    const stdout = new Output(options.stdout);
    // One place for both is one stream: what is written first comes first.
    const stderr = options.stderr === options.stdout ? stdout : new Output(options.stderr);
    this.#outputs = stdout === stderr ? [stdout] : [stdout, stderr];
    this.#descriptors.add(new StreamDescriptor(this.#stdin, true, terminal.stdin));
    this.#descriptors.add(new StreamDescriptor(stdout, false, terminal.stdout));
    this.#descriptors.add(new StreamDescriptor(stderr, false, terminal.stderr));
    const opened = options.files === null ? undefined : perform(this.#open(options.files));
    if (opened !== undefined) this.#opening = Promise.resolve(opened);
    this.ready = this.#opening ?? Promise.resolve();
    // It is told to whoever starts the program.
    this.ready.catch(() => {});
    const context: Context = {
      memory: new GuestMemory(() => this.#running.memory, this.#calls),
      descriptors: this.#descriptors,
      calls: this.#calls,
      clock,
      args: options.args,
      environment: options.environment,
      random: options.random,
      started: clock.monotonic(),
      exit: (code) => this.#exit(code),
      canWait: canSuspend,
      isForeign: (fd) => this.#foreign?.owns(fd) === true,
    };
    const functions = {
      ...processFunctions(context),
      ...dataFunctions(context),
      ...descriptorFunctions(context),
      ...pathFunctions(context),
      ...pollFunctions(context),
      ...socketFunctions(context),
    };
    this.imports = {
      [WASI_MODULE]: Object.fromEntries(
        Object.entries(functions).map(([name, fn]) => {
          const linked = this.#link(name, fn);
          return [name, mayWait(name) ? suspending(linked) : linked];
        }),
      ),
    };
  }

  get exitCode(): number | null {
    return this.#exitCode;
  }

  async start<E>(given: Guest<E>, options: SpawnOptions = {}): Promise<number> {
    try {
      const guest = await this.#begin(given);
      const fiber = guest.spawn('_start', [], options);
      const cancelled = await this.#outcome(fiber);
      await this.#close(cancelled);
      // A fiber may have been cancelled because the program has ended, or end while it is.
      if (this.#exitCode !== null) return this.#exitCode;
      await fiber.result;
      return 0;
    } finally {
      await this.#close(true);
    }
  }

  async initialize<E>(given: Guest<E>): Promise<void> {
    const guest = await this.#begin(given);
    if (WebAssembly.Module.exports(guest.module).some(({ name }) => name === '_initialize')) {
      await guest.spawn('_initialize').result;
    }
  }

  close(): Promise<void> {
    return this.#close(false);
  }

  async #begin<E>(given: Guest<E>): Promise<Guest> {
    // Whatever types its exports have: they are called by their names.
    const guest = given as unknown as Guest;
    if (this.#guest !== null && this.#guest !== guest) {
      throw new FiberError('INVALID_OPTION', 'These surroundings are of another program: call wasi() once for each.');
    }
    this.#guest = guest;
    await this.ready;
    return guest;
  }

  /** Waits for the end; true if it came too soon. */
  async #outcome(fiber: Fiber): Promise<boolean> {
    try {
      await fiber.result;
      return false;
    } catch {
      return this.#exitCode === null;
    }
  }

  /** @param hurry does nobody wait any more for what was written? Files are written to their end in any case. */
  #close(hurry: boolean): Promise<void> {
    this.#closing ??= this.#closeAll(hurry);
    return this.#closing;
  }

  async #closeAll(hurry: boolean): Promise<void> {
    this.#stdin.stop();
    const failures: unknown[] = [];
    const attempt = async (steps: Steps<void>): Promise<void> => {
      try {
        await perform(steps);
      } catch (error) {
        failures.push(error);
      }
    };
    await this.#opening?.catch(() => {});
    await this.#calls.end();
    const closing = this.#descriptors.takeAll().map((each) => attempt(each.close()));
    if (!hurry) closing.push(...this.#outputs.map((each) => attempt(each.end())));
    else for (const each of this.#outputs) void attempt(each.end());
    await Promise.all(closing);
    for (const { directory } of this.#preopens) {
      await attempt(
        (function* () {
          yield* settle(directory.close?.());
        })(),
      );
    }
    if (failures.length > 0) throw failures[0];
  }

  *#open(files: NonNullable<CheckedOptions['files']>): Steps<void> {
    this.#preopens = yield* openFiles(files);
    for (const { path, directory } of this.#preopens) {
      this.#descriptors.add(new DirectoryDescriptor(directory, path, DIRECTORY_RIGHTS, ALL_RIGHTS, 0));
    }
    this.#opening = null;
  }

  get #running(): Guest {
    // A start function runs before anybody has the guest.
    this.#guest ??= currentFiber()?.guest ?? null;
    if (this.#guest === null) throw new FileError('EFAULT', 'no guest was started');
    return this.#guest;
  }

  #exit(code: number): never {
    this.#exitCode = code;
    const current = currentFiber();
    for (const fiber of this.#guest?.fibers ?? []) {
      if (fiber !== current) fiber.cancel('the program has exited');
    }
    return endGuest();
  }

  #link(name: string, fn: WasiFunction): (...args: (number | bigint)[]) => unknown {
    const call = fn as unknown as (...args: (number | bigint)[]) => Steps<void> | void;
    const succeed = (): number => ERRNO.SUCCESS;
    const fail = (error: unknown): number => this.#fail(error, name);
    return (...args) => {
      if (this.#exitCode !== null) endGuest();
      if (this.#foreign?.answers(name, args) === true) return this.#askForeign(this.#foreign, name, args);
      const unsigned = args.map((value) => (typeof value === 'bigint' ? BigInt.asUintN(64, value) : value >>> 0));
      try {
        const opening = this.#opening;
        const steps = opening === null ? call(...unsigned) : afterwards(opening, () => call(...unsigned));
        const result = steps === undefined ? undefined : this.#calls.perform(steps);
        return result === undefined ? ERRNO.SUCCESS : result.then(succeed, fail);
      } catch (error) {
        return fail(error);
      }
    };
  }

  #askForeign(foreign: Foreign, name: string, args: readonly (number | bigint)[]): number {
    try {
      const answer = foreign.find(name, this.#running);
      // One that says nothing has nothing to complain of.
      return answer === null ? ERRNO.ENOSYS : Number(answer(...args) ?? ERRNO.SUCCESS);
    } catch (error) {
      return this.#fail(error, name);
    }
  }

  /** The error number for what was thrown. */
  #fail(error: unknown, name: string): number {
    // What ends the program must get past the guest.
    if (this.#exitCode !== null) throw error;
    const errno = errnoOf(error);
    const isStrange = errno === null || (error instanceof FileError && error.cause !== undefined);
    if (isStrange) this.#onError?.(error instanceof FileError ? error.cause : error, name);
    return errno ?? ERRNO.EIO;
  }
}

function* afterwards(opening: Promise<void>, work: () => Steps<void> | void): Steps<void> {
  yield* settle(opening);
  const steps = work();
  if (steps !== undefined) yield* steps;
}
