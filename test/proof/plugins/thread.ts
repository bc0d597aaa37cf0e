/**
 * For how long the thread is held: in processor time, since other processes take what time they like; but no longer than by the clock,
 * since processor time goes on in steps, of 4 ms on some machines, and a step may come at any moment.
 */

/** Newer than the declarations of the oldest Node. */
const { threadCpuUsage } = process as typeof process & {
  readonly threadCpuUsage?: () => { readonly user: number; readonly system: number };
};

/** Milliseconds that the thread has worked; where the engine does not tell, those of the process. */
function processorTime(): number {
  const { user, system } = threadCpuUsage?.call(process) ?? process.cpuUsage();
  return (user + system) / 1000;
}

/** Watches for how long nothing else of the event loop gets its turn. */
export function watchThread(): { pause(): void; go(): void; end(): { readonly longest: number } } {
  let longest = 0;
  let paused = false;
  let last = processorTime();
  let lastByClock = performance.now();
  let next = setImmediate(tick);
  function tick(): void {
    const now = processorTime();
    const byClock = performance.now();
    if (!paused) longest = Math.max(longest, Math.min(now - last, byClock - lastByClock));
    last = now;
    lastByClock = byClock;
    next = setImmediate(tick);
  }
  return {
    pause: () => {
      paused = true;
    },
    go: () => {
      paused = false;
      last = processorTime();
      lastByClock = performance.now();
    },
    end: () => {
      clearImmediate(next);
      return { longest };
    },
  };
}
