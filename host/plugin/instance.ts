/**
 * One instance of a plugin, and the calls that run in it. It is used until it is spoilt: poisoned by the runtime, ended by its
 * own `exit`, or held by a call that does not end though it was told to. Its plugin then makes a fresh one.
 */
import { instantiate as instantiateTyped } from '../assemblyscript/index.ts';
import { FiberError } from '../errors.ts';
import {
  type BackendKind,
  type Fiber,
  type FiberEvent,
  type Guest,
  type GuestOptions,
  currentFiber,
  instantiate,
} from '../index.ts';
import type { Wasi } from '../wasi/index.ts';
import { Call } from './call.ts';
import type { Grant } from './capabilities.ts';
import { importsFor } from './imports.ts';
import { type SettledLimits, limitReached } from './limits.ts';
import { corrupt } from './memory.ts';
import { meteredGuest } from './metering.ts';
import type { PreparedModule } from './prepare.ts';
import type { Statistics } from './statistics.ts';
import type { Traffic } from './traffic.ts';
import { type Allocator, type Input, type ValueContext, allocatorOf, callWith, release, store } from './values.ts';

/** What all instances of a plugin have in common. */
export interface Environment {
  /** The plugin, for messages: `The plugin "tables" 1.2.0`. */
  readonly subject: string;
  readonly prepared: PreparedModule;
  readonly grant: Grant;
  readonly limits: SettledLimits;
  readonly traffic: Traffic;
  readonly statistics: Statistics;
  readonly backend: 'auto' | BackendKind;
  readonly onTrap: 'continue' | 'poison';
  readonly onEvent: ((event: FiberEvent) => void) | null;
}

/** How long the fibers of a call that has ended may take to notice it, and `free` to give back what it was given. */
const GRACE_MS = 1000;

export class Instance {
  readonly #environment: Environment;
  #guest: Guest | null = null;
  #wasi: Wasi | null = null;
  #allocator: Allocator | null = null;
  readonly #calls = new Set<Call>();
  /** Work for calls that have failed. */
  readonly #cleaning = new Set<Promise<void>>();
  #spoilt: string | null = null;
  /** Was it disposed of because of one call, though others run in it? */
  #isAbandoned = false;

  private constructor(environment: Environment) {
    this.#environment = environment;
  }

  /**
   * @param signal gives up what is not ready yet, and everything afterwards
   * @throws FiberError `CAPABILITY_DENIED`, `MISSING_IMPORTS`; and what the module's own beginning throws
   */
  static async create(environment: Environment, signal: AbortSignal): Promise<Instance> {
    const instance = new Instance(environment);
    await instance.#start(signal);
    return instance;
  }

  async #start(signal: AbortSignal): Promise<void> {
    const { prepared, subject, grant, limits, traffic, statistics } = this.#environment;
    const { hostCalls } = statistics;
    const { imports, wasi } = importsFor({
      subject,
      prepared,
      grant,
      limits,
      traffic,
      caller: () => ({
        memory: this.#beginning.memory,
        store: (bytes, fiber, name) => this.#storeResult(bytes, fiber, name),
      }),
    });
    this.#wasi = wasi;
    await wasi?.ready;
    const options = this.#guestOptions(signal);
    const guest = prepared.typed
      ? await instantiateTyped(prepared.module, imports, {
          ...options,
          limits: { ...options.limits, inputBytes: limits.inputBytes, outputBytes: limits.outputBytes },
        })
      : await instantiate(prepared.module, imports, options);
    this.#guest = guest;
    this.#allocator = allocatorOf(guest.instance);
    try {
      if (wasi !== null) await wasi.initialize(guest);
      else if ('_initialize' in guest.exports) await guest.spawn('_initialize').result;
    } catch (error) {
      void this.dispose();
      throw error instanceof TypeError && statistics.hostCalls === hostCalls ? mistyped(subject, error) : error;
    }
  }

  #guestOptions(signal: AbortSignal): GuestOptions {
    const { prepared, limits, backend, onTrap } = this.#environment;
    return {
      backend,
      // Beside each call there may be a fiber that makes room for the result of a host function.
      maxFibers: Math.min(2 * limits.fibers + 1, 2 ** 31 - 1),
      stackSize: limits.stackSize,
      onTrap,
      onEvent: (event) => this.#onEvent(event),
      signal,
      ...(prepared.metadata.metered && meteredGuest(limits)),
    };
  }

  /** Can no further call run in it? Says why. */
  get spoilt(): string | null {
    if (this.#spoilt === null && this.#wasi !== null && this.#wasi.exitCode !== null) {
      this.#spoilt = `it has exited with code ${this.#wasi.exitCode}`;
    }
    return this.#spoilt;
  }

  /** Calls that have not ended. */
  get running(): number {
    return this.#calls.size;
  }

  /** Has every call ended, with all that it has left behind? */
  get idle(): boolean {
    return this.#calls.size === 0 && this.#cleaning.size === 0;
  }

  /** Resolves when that is so. */
  async whenIdle(): Promise<void> {
    while (this.#cleaning.size > 0) await Promise.all(this.#cleaning);
  }

  /** Bytes of the memory, which never shrinks. */
  get memoryBytes(): number {
    const memory = this.#guest?.instance.exports['memory'];
    return memory instanceof WebAssembly.Memory ? memory.buffer.byteLength : 0;
  }

  /** Runs one call. When this has settled, the call is over for its caller; its fibers may need some more time. */
  async call(input: Input, call: Call): Promise<unknown> {
    this.#calls.add(call);
    const { statistics } = this.#environment;
    const { hostCalls } = statistics;
    const work = callWith(this.#context(this.#live, call), call, input);
    try {
      return await Promise.race([work, call.ended]);
    } catch (error) {
      if (error instanceof FiberError && error.code === 'GUEST_POISONED') this.#spoilt ??= 'it was poisoned';
      // A host function that the plugin exports as its own may have thrown it.
      const { refusal } = call;
      if (refusal !== null && error === refusal && hostCalls === statistics.hostCalls) {
        throw mistyped(this.#environment.subject, refusal);
      }
      throw call.error ?? this.#explain(error, call.name);
    } finally {
      statistics.sawMemory(this.memoryBytes);
      if (call.error === null) this.#calls.delete(call);
      else this.#clean(this.#waitFor(call, work));
    }
  }

  /** Gives up the instance: what still runs in it ends. */
  async dispose(): Promise<void> {
    this.#spoilt ??= 'it was disposed of';
    this.#environment.statistics.sawMemory(this.memoryBytes);
    await Promise.all([this.#guest?.dispose(), this.#wasi?.close()]);
  }

  get #live(): Guest {
    if (this.#guest === null) throw new FiberError('INTERNAL', 'The instance of a plugin is used before it is ready.');
    return this.#guest;
  }

  #context(guest: Guest, call: Call | null = null): ValueContext {
    const { prepared, limits, subject } = this.#environment;
    return {
      guest,
      allocator: this.#allocator,
      typed: prepared.typed,
      limits,
      subject,
      abandon: (address, length) => {
        if (call !== null) this.#clean(this.#giveBack(call, address, length));
      },
    };
  }

  /** A call that was ended has as long as this to leave the guest. */
  async #waitFor(call: Call, work: Promise<unknown>): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        this.#spoilt ??= `${call.name} did not end when it was told to`;
        resolve();
        // Whatever it waits for next, it is told again.
        this.#isAbandoned = true;
        void this.dispose();
      }, GRACE_MS);
    });
    await Promise.race([work.then(ignore, ignore), late]);
    clearTimeout(timer);
    this.#calls.delete(call);
  }

  /** Memory that a failed call was given; a guest that fails in this as well keeps it. */
  async #giveBack(failed: Call, address: number, length: number): Promise<void> {
    // A fiber that is being cancelled may still use it.
    while (failed.lives) await new Promise((resolve) => setTimeout(resolve));
    if (this.spoilt !== null) return;
    const { subject, prepared, limits } = this.#environment;
    const metered = prepared.metadata.metered;
    const call = new Call(failed.name, subject, metered, { timeout: GRACE_MS, fuel: limits.fuel });
    try {
      await Promise.race([release(this.#context(this.#live), call, address, length), call.ended]);
    } catch {
      // The call itself has failed already, and its caller knows.
    } finally {
      call.close();
    }
  }

  #clean(work: Promise<void>): void {
    this.#cleaning.add(work);
    void work.finally(() => this.#cleaning.delete(work));
  }

  async #storeResult(bytes: Uint8Array, fiber: Fiber | null, name: string): Promise<bigint> {
    const { limits, subject } = this.#environment;
    if (bytes.length > limits.inputBytes) {
      throw limitReached(
        'inputBytes',
        `${subject}: ${name} returned ${bytes.length} bytes, more than the limit inputBytes of ${limits.inputBytes}.`,
      );
    }
    // Nobody waits for the result of a host function any more.
    if (fiber?.state === 'done') return 0n;
    const call = [...this.#calls].find((each) => fiber !== null && each.owns(fiber));
    // The module's own beginning is no call of anybody's; the limit `loadMs` is on all of it.
    const guest = this.#guest ?? fiber?.guest ?? this.#beginning;
    const context = { ...this.#context(guest), allocator: allocatorOf(guest.instance) };
    const own = call ?? new Call(name, subject, false, {});
    const address = await store(context, own, bytes, `${subject}: ${name}`, fiber);
    return (BigInt(address) << 32n) | BigInt(bytes.length);
  }

  /** The guest, also while its start function runs, when nobody has it yet. */
  get #beginning(): Guest {
    const guest = this.#guest ?? currentFiber()?.guest;
    if (guest === undefined) {
      throw new FiberError(
        'MISSING_IMPORTS',
        `${this.#environment.subject} passes text, bytes or JSON to the host in its start function, when its memory is not known yet. Do that in _initialize, which is called next.`,
      );
    }
    return guest;
  }

  #onEvent(event: FiberEvent): void {
    const { statistics, onEvent, onTrap } = this.#environment;
    if (event.type === 'trap' && onTrap === 'poison') this.#spoilt ??= 'it has trapped';
    if (event.type === 'suspend') statistics.suspensions += 1;
    if (event.type === 'poison') this.#spoilt ??= 'it was poisoned';
    onEvent?.(event);
  }

  /** A trap that ends a program is its exit, and no fault of the code where it happens; nor is what others have spoilt. */
  #explain(error: unknown, name: string): unknown {
    if (this.#isAbandoned && isCancelled(error)) {
      return new FiberError(
        'GUEST_POISONED',
        `${this.#environment.subject}: ${name} ran in an instance that was given up, since ${this.#spoilt}. The next call gets a fresh one.`,
        { cause: error },
      );
    }
    const exitCode = this.#wasi?.exitCode ?? null;
    if (exitCode === null || !(error instanceof WebAssembly.RuntimeError || isCancelled(error))) return error;
    return new FiberError(
      'GUEST_POISONED',
      `${this.#environment.subject} exited with code ${exitCode} before ${name} had ended. The next call gets a fresh instance.`,
      { cause: error },
    );
  }
}

/** One of the functions of docs/plugins.md that the plugin exports has another type than is said there. */
function mistyped(subject: string, cause: TypeError): FiberError {
  return corrupt(
    `${subject} exports a function with other parameters or results than it is called with (${cause.message})`,
    cause,
  );
}

function isCancelled(error: unknown): boolean {
  return error instanceof FiberError && error.code === 'CANCELLED';
}

function ignore(): void {}
