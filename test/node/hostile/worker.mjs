// Runs hostile guests in a process that can be killed: a host that hangs in microtasks could not report anything. Beside
// each lives an honest guest with fibers in flight; whatever the hostile one does, those must end as if it were not there.
import { readFile } from 'node:fs/promises';
import { canSuspend, currentFiber, FiberError, instantiate, reentrant } from 'wasm-fibers';

const turn = () => new Promise((resolve) => setTimeout(resolve, 0));
const backend = process.argv[2];
const file = { asyncify: 'core.fibers.wasm', jspi: 'core.jspi.wasm' }[backend];
const honest = await WebAssembly.compile(await readFile(new URL(`../../../build/guests/${file}`, import.meta.url)));
const unhandled = [];
process.on('unhandledRejection', (reason) => unhandled.push(describe(reason)));

/** What an error is, so that the other thread can judge it. */
function describe(error) {
  if (error instanceof FiberError) return `FiberError ${error.code}`;
  if (error instanceof WebAssembly.RuntimeError) return 'RuntimeError';
  return `${error?.constructor?.name} ${String(error?.message).slice(0, 200)}`;
}

/** Watches a promise from now on. */
function watch(promise) {
  const watched = { outcome: 'pending' };
  promise.then(
    () => (watched.outcome = 'value'),
    (error) => (watched.outcome = describe(error)),
  );
  return watched;
}

/** A promise's outcome, or 'pending' if turns of the event loop do not bring one. */
async function outcomeOf(promise, watched = watch(promise)) {
  for (let turns = 0; turns < 200 && watched.outcome === 'pending'; turns++) await turn();
  return watched.outcome;
}

function attempt(action) {
  try {
    action();
    return 'value';
  } catch (error) {
    return describe(error);
  }
}

class Victim {
  gates = [];
  static async make() {
    const victim = new Victim();
    const wait = (x) => new Promise((resolve) => victim.gates.push(() => resolve(x)));
    const table = () => victim.guest.exports.table;
    const through = reentrant(function* (call, fn, x) {
      return yield call(table().get(fn), x);
    });
    victim.guest = await instantiate(
      honest,
      {
        env: {
          wait,
          wait_i64: wait,
          wait_f64: wait,
          wait_void: wait,
          wait_pair: wait,
          call: (fn, x) => table().get(fn)(x),
          // JSPI passes generators alone.
          invoke_ii: backend === 'jspi' ? through : (fn, x) => table().get(fn)(x),
          opaque: (fn, x) => table().get(fn)(x),
          note: (x) => x,
        },
      },
      { windowSize: 64 },
    );
    victim.results = Array.from({ length: 5 }, (_, i) => victim.guest.exports.deep(i * 3, i));
    return victim;
  }

  /** Lets its fibers end, starts others, and says whether every result is right. */
  async survived() {
    const more = Array.from({ length: 3 }, (_, i) => this.guest.exports.through_invoke(1, i));
    for (const open of this.gates.splice(0).reverse()) open();
    const values = await Promise.all([...this.results, ...more]);
    await this.guest.dispose();
    return values.join() === '0,4,8,12,16,1005,1006,1007';
  }
}

/** Everything that an embedder does with a guest, in an order that leaves time for damage. */
async function use(bytes, { spoken = true, options = {} }) {
  const outcomes = [];
  let guest = null;
  let nested = 0;
  const wait = (x) => turn().then(() => x);
  const env = {
    wait,
    wait2: wait,
    note: (x) => {
      // A host function that calls back, at whatever moment the guest chooses to call it.
      if (guest === null || nested++ > 20) return x;
      attempt(() => guest.sync.attack?.(1));
      guest.exports.attack?.(2).catch(() => undefined);
      return x;
    },
    invoke_i: (x) => guest?.instance.exports.attack(3) ?? x,
  };
  const pending = instantiate(bytes, { env }, { windowSize: 256, stackSize: 1024, ...options });
  const instantiated = await outcomeOf(pending);
  outcomes.push(`instantiate: ${instantiated}`);
  if (instantiated !== 'value') return outcomes;
  guest = await pending;
  if (!spoken) return outcomes;
  const fibers = [];
  for (let i = 0; i < 4; i++) {
    outcomes.push(
      `spawn: ${attempt(() => {
        const fiber = guest.spawn('attack', [i]);
        fibers.push({ fiber, watched: watch(fiber.result) });
      })}`,
    );
  }
  if (guest.exports.scribble !== undefined) outcomes.push(`scribble: ${attempt(() => guest.sync.scribble())}`);
  fibers[2]?.fiber.cancel('enough');
  outcomes.push(`sync: ${attempt(() => guest.sync.attack(9))}`);
  for (const { watched } of fibers) outcomes.push(`fiber: ${await outcomeOf(null, watched)}`);
  // Afterwards: usable, or says that it is not.
  outcomes.push(`again: ${await outcomeOf(guest.exports.attack(5))}`);
  guest.exports.attack(6).catch(() => undefined);
  outcomes.push(`dispose: ${await outcomeOf(guest.dispose())}`);
  outcomes.push(`left: ${guest.fibers.length}`);
  return outcomes;
}

process.on('message', async ({ bytes, ...how }) => {
  const victim = await Victim.make();
  const outcomes = await use(bytes, how);
  await turn();
  process.send({
    outcomes,
    survived: await victim.survived(),
    idle: currentFiber() === null && !canSuspend(),
    unhandled: unhandled.splice(0),
  });
});

process.send('ready');
