/** For how long the thread is held: in processor time, since other processes take what time they like. */

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
  let next = setImmediate(tick);
  function tick(): void {
    const now = processorTime();
    if (!paused) longest = Math.max(longest, now - last);
    last = now;
    next = setImmediate(tick);
  }
  return {
    pause: () => {
      paused = true;
    },
    go: () => {
      paused = false;
      last = processorTime();
    },
    end: () => {
      clearImmediate(next);
      return { longest };
    },
  };
}
